// The versions of a history of rounds: what their readers see must follow from the pushes, the modes and the workers.

import Names

@testable import ParameterServing

extension RoundStory {
    /// Compares the newest version with the one before.
    func observe(_ model: Model, _ mayBeSmall: Bool) {
        guard model.publication.current.version != seen?.version else { return }
        let now = SeenVersion(model)
        note("version \(now.version), step \(now.step): \(now.counts.map { $0.reduce(0, +) })")
        compare(now, mayBeSmall)
        if now.consistency != seen?.consistency { firstStep = now.step + 1 }
        seen = now
        for request in open where request.wait != nil && request.life == life && disk.hasPower {
            guard case .push(let place) = request.kind, now.counts[place.worker][place.index] > 0 else { continue }
            fail("\(place) is in version \(now.version), and its request still waits")
        }
    }

    func compare(_ now: SeenVersion, _ mayBeSmall: Bool) {
        guard let before = seen else { return eachCount(of: now) { judge($0, $1, step: nil) } }
        let isUpdate = now.isOneUpdate(after: before)
        eachCount(of: now) { judge($0, $1, step: isUpdate ? now.step : nil) }
        let mayBeSmall = mayBeSmall || closedSteps.contains(now.step)
        if let problem = now.problem(after: before, mayBeSmall: mayBeSmall, mayRepeat: now.step == firstStep) {
            return fail(problem)
        }
        if isUpdate, now.consistency.hasRounds {
            let added = now.added(after: before)
            follower.expect(now.version, pushes: added.reduce(0, +))
            judgeMembers(of: now, added)
        }
        let isPatch = now.version == before.version + 1 && now.step == before.step
        if isPatch, now.consistency != before.consistency { follower.expect(now.version, pushes: 0) }
    }

    /// A round that waits for the registered workers is complete only if each has pushed, and with a quorum.
    private func judgeMembers(of now: SeenVersion, _ added: [Int]) {
        guard now.consistency.waitsForRegistered, let members = roster.members[now.version] else { return }
        for worker in members where added[worker] == 0 {
            fail("step \(now.step) is complete with \(added), without a push of the registered worker \(worker)")
        }
        if added.reduce(0, +) < Self.quorum {
            fail("step \(now.step) is complete with \(added), fewer pushes than its quorum")
        }
    }

    private func eachCount(of version: SeenVersion, _ body: (RoundPush.Place, Int) -> Void) {
        for (worker, counts) in version.counts.enumerated() {
            for (index, count) in counts.enumerated() where count != 0 {
                body(RoundPush.Place(worker: worker, index: index), count)
            }
        }
    }

    /// Judges a push that a version counts.
    private func judge(_ place: RoundPush.Place, _ count: Int, step: Int?) {
        guard pushes[place.worker].indices.contains(place.index) else { return fail("\(place) was never sent") }
        if count != 1 { fail("\(place) is counted \(count) times") }
        let push = pushes[place.worker][place.index]
        if push.isLate, push.state != .unknown { fail("\(place) of epoch \(push.epoch), which had ended, is counted") }
        if let step, seen?.counts[place.worker][place.index] == 0 { pushes[place.worker][place.index].step = step }
        switch push.state {
        case .dropped, .refused: fail("\(place) was \(push.state), and is counted")
        case .sent, .held, .applied, .unknown: break
        }
    }

    /// The pushes that were held, and are not counted in the newest version.
    func heldPlaces() -> [RoundPush.Place] {
        pushes.enumerated().flatMap { worker, list in
            list.indices.filter { index in
                let isHeld = list[index].state == .held || list[index].state == .dropped
                return isHeld && seen?.counts[worker][index] != 1
            }.map { RoundPush.Place(worker: worker, index: $0) }
        }
    }
}
