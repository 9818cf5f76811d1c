// The workers of a history of rounds: they register, send heartbeats, leave, fall silent and come back with a
// registration that has ended.

import Names

@testable import ParameterServing
@testable import Threading

extension RoundStory {
    /// How long after its time the end of a lease may be logged: idle turns take a second each.
    private static let grace: UInt64 = 2_000_000_000

    /// Lets a worker renew its lease.
    func heartbeat() {
        let worker = pick(0...Self.workers - 1)
        let known = crew[worker]
        guard !known.isSilent, known.epoch > 0, !known.hasEnded else { return }
        ask(.heartbeat(worker: worker))
    }

    /// Lets a worker fall silent, as one does that has died, or come back.
    func changeSilence() { crew[pick(0...Self.workers - 1)].isSilent.toggle() }

    /// Lets a worker register or leave, or push in a registration that has ended.
    func changeMembership() {
        let worker = pick(0...Self.workers - 1)
        switch pick(0...7) {
        case 0: if crew[worker].isKnown { ask(.dismiss(worker: worker)) }
        case 1...2: pushLate(worker)
        default: if !crew[worker].isSilent { register(worker) }
        }
    }

    func register(_ worker: Int) {
        ask(.register(worker: worker, ttl: pick(0...3) == 0 ? nil : pick(1...6)))
    }

    private func pushLate(_ worker: Int) {
        guard let epoch = crew[worker].ended.randomElement(using: &random) else { return }
        let seq = 1 + (pushes[worker].filter { $0.epoch == epoch }.map(\.seq).max() ?? 0)
        push(of: worker, RoundPush(epoch: epoch, seq: seq, isLate: true))
    }

    // MARK: Answers

    /// Records that the daemon has heard from the worker of a request.
    func hear(from request: RoundRequest, isAccepted: Bool) {
        guard let worker = request.kind.worker, !request.kind.isOfMembership, request.wait == nil else { return }
        guard request.epoch > 0, request.epoch == crew[worker].epoch else { return }
        crew[worker].hear(from: isAccepted ? request.sent : nil, to: simulation.now)
    }

    func register(_ worker: Int, _ request: RoundRequest, ttl: Int?, _ epoch: Int, isRepeated: Bool) {
        if !isRepeated, epoch <= lastEpoch { fail("epoch \(epoch) was given after \(lastEpoch)") }
        lastEpoch = max(epoch, lastEpoch)
        crew[worker].register(epoch, ttl: ttl, isRepeated: isRepeated)
        crew[worker].hear(from: isRepeated ? nil : request.sent, to: simulation.now)
    }

    func dismissed(_ worker: Int) {
        crew[worker].end(crew[worker].epoch)
        (crew[worker].hasEnded, crew[worker].isKnown) = (crew[worker].epoch > 0, false)
    }

    /// Records that a worker was told that its registration has ended: it must have had reason to expect that.
    func fence(_ worker: Int, _ epoch: Int, _ what: String) {
        guard epoch == crew[worker].epoch else { return }
        let mayHaveEnded = crew[worker].mayHaveEnded(at: simulation.now) || crew[worker].ended.contains(epoch)
        if !mayHaveEnded { fail("\(what) of epoch \(epoch) was fenced") }
        crew[worker].hasEnded = true
        if !crew[worker].isDoubtful { crew[worker].end(epoch) }
    }

    /// Judges a receipt: the numbers that it misses are those that were never accepted.
    func judge(_ receipt: Receipt, of place: RoundPush.Place) {
        let push = pushes[place.worker][place.index]
        if push.isLate { return fail("\(place) of epoch \(push.epoch), which had ended, was accepted") }
        if !receipt.replayed, push.epoch > 0 { crew[place.worker].isDoubtful = false }
        guard push.epoch == crew[place.worker].epoch else { return }
        let wanted = push.gap ?? crew[place.worker].accepted.map { push.seq - $0 - 1 }
        if let wanted, receipt.gap != wanted {
            fail("\(place) with number \(push.seq) was told a gap of \(receipt.gap), not \(wanted)")
        }
        if receipt.gap > 0 { reached.insert(.gap) }
        pushes[place.worker][place.index].gap = receipt.gap
        crew[place.worker].accepted = max(push.seq, crew[place.worker].accepted ?? 0)
        crew[place.worker].isKnown = true
    }

    /// Judges the refusal of a push.
    func judge(refusal error: ServingError, of place: RoundPush.Place) {
        let push = pushes[place.worker][place.index]
        switch error {
        case .alreadyInRound: break
        case .fenced where push.isLate: reached.insert(.fenced)
        case .fenced: fence(place.worker, push.epoch, "\(place)")
        case .notRegistered where push.epoch == 0: crew[place.worker].mustRegister = true
        default: fail("\(place) was refused: \(error)")
        }
    }

    // MARK: Leases

    /// Takes what the events tell about registrations.
    func readRoster(_ model: Model) {
        for news in roster.read(model.events) {
            switch news {
            case .left(let worker, let epoch): leave(worker, epoch)
            case .replaced(let worker, let epoch): crew[worker].end(epoch)
            case .round(let reason, let isByDeparture): reach(reason, isByDeparture)
            case .problem(let problem): fail(problem)
            }
        }
    }

    private func reach(_ reason: SettledRound.Reason, _ isByDeparture: Bool) {
        if isByDeparture { reached.insert(.closedByDeparture) }
        switch reason {
        case .full: reached.insert(.full)
        case .quorum: reached.insert(.quorum)
        case .deadline: reached.insert(.deadline)
        case .step: reached.insert(.step)
        case .mode: reached.insert(.mode)
        case .restored, .refused, .diverged, .overflow: break
        }
    }

    /// Judges the end of a registration: nothing but its client or its lease ends it.
    private func leave(_ worker: Int, _ epoch: Int?) {
        meeting.leave(worker)
        guard let epoch else { return }
        hasLost = true
        note("worker \(worker) has left at \(simulation.now)")
        let isDismissed = open.contains { if case .dismiss(worker) = $0.kind { true } else { false } }
        if epoch == crew[worker].epoch, !isDismissed, !crew[worker].ended.contains(epoch) {
            reached.insert(.leaseEnded)
            if !crew[worker].mayHaveEnded(at: simulation.now) {
                fail("the lease of worker \(worker) ended at \(simulation.now): \(crew[worker])")
            }
        }
        crew[worker].end(epoch)
    }

    /// Requires the end of leases whose workers have been silent for too long.
    func judgeLeases() {
        if isStopping || !disk.hasPower { return }
        for (worker, known) in crew.enumerated() where roster.epochs?[worker] == known.epoch {
            let isHeard = open.contains { $0.kind.worker == worker && $0.wait == nil }
            guard !isHeard, known.mustHaveEnded(at: simulation.now, grace: Self.grace) else { continue }
            fail("the lease of worker \(worker) has not ended at \(simulation.now): \(known)")
        }
    }

    // MARK: The table of workers

    /// Compares the table of workers and the open round with what the events and the answers say.
    func audit(isStart: Bool = false) {
        guard let model else { return }
        hasLost = false
        _ = model.inspected { [self] state in
            if disk.hasPower { judge(state, model, isStart) }
            return true
        }
    }

    private func judge(_ state: ModelState, _ model: Model, _ isStart: Bool) {
        readRoster(model)
        let pairs = state.ledger.registered.compactMap { name in
            Roster.worker(named: name).map { ($0, state.ledger.epoch(of: name)) }
        }
        let epochs = Dictionary(uniqueKeysWithValues: pairs)
        if let told = roster.epochs {
            if told != epochs {
                fail("the events tell the registrations \(told.sorted { $0.key < $1.key }), not \(pairs)")
            }
            if isStart, !told.isEmpty { reached.insert(.registeredAtStart) }
        }
        roster.adopt(epochs, model.events)
        judgeCrew(epochs)
        judge(state.roundFacts(closesIn: nil), epochs)
    }

    /// No registration is lost, and none is back that has ended: not even if its worker was told so just before a crash.
    private func judgeCrew(_ epochs: [Int: Int]) {
        for (worker, epoch) in epochs where crew[worker].ended.contains(epoch) {
            fail("the registration \(epoch) of worker \(worker) had ended, and it is registered")
        }
        for (worker, known) in crew.enumerated() where known.epoch > 0 && !known.hasEnded {
            if epochs[worker] == known.epoch {
                crew[worker].isDoubtful = false
                continue
            }
            let isChanging = open.contains { $0.kind.worker == worker && $0.kind.isOfMembership }
            if isChanging || known.mayHaveEnded(at: simulation.now) || known.ended.contains(known.epoch) { continue }
            fail("the registration \(known.epoch) of worker \(worker) is lost")
        }
    }

    /// Judges the open round: it holds what was acknowledged, and waits for a worker that is registered, or for its
    /// quorum.
    private func judge(_ round: RoundFacts, _ epochs: [Int: Int]) {
        let held = round.pushes.compactMap { push in push.key.flatMap { place(of: $0) } }
        for place in held {
            let push = pushes[place.worker][place.index]
            let isCounted = seen?.counts[place.worker][place.index] ?? 0 > 0
            if isCounted || push.state == .dropped || push.state == .refused {
                fail("\(place) is \(push.state), and is in the open round")
            }
        }
        judgeWaits(for: held)
        guard round.registered != nil, let listed = round.missing else { return }
        let missing = epochs.keys.sorted().filter { worker in !held.contains { $0.worker == worker } }
        if listed.map(Roster.worker) != missing {
            fail("the round misses \(listed), and of \(epochs.keys.sorted()) it has \(held)")
        }
        if missing.isEmpty, held.count >= Self.quorum {
            fail("all workers that are registered have pushed, and the round is open with \(held)")
        }
    }

    /// A request waits only as long as its push is in the open round.
    private func judgeWaits(for held: [RoundPush.Place]) {
        for request in open where request.wait != nil && request.life == life && request.answers == 0 {
            guard case .push(let place) = request.kind, !held.contains(place) else { continue }
            fail("\(place) is not in the open round, and its request still waits")
        }
    }

    private func place(of key: PushKey) -> RoundPush.Place? {
        guard let worker = Roster.worker(named: key.worker) else { return nil }
        let index = pushes[worker].lastIndex { $0.epoch == key.epoch && $0.seq == key.seq }
        return index.map { RoundPush.Place(worker: worker, index: $0) }
    }
}
