// A simulated history of one model whose mode changes while workers push: every push is in one round, every round has
// what its mode needs, and a follower of the model's events misses nothing, whatever dies and when.

import Names
import Optimizers

@testable import ParameterServing
@testable import Threading

/// A history of rounds.
final class RoundStory: SimulatedHistory, @unchecked Sendable {
    /// What a history may reach; a test requires each of a few seeds.
    enum Reach: CaseIterable {
        case full, quorum, deadline, step, mode
        /// A start with acknowledged pushes in the open round.
        case heldAtStart
        /// A reader came back after a start, and continued.
        case resumed
    }

    static let name = "rounds"
    static let workers = 3
    /// The least pushes of a round at its deadline.
    static let quorum = 2
    /// The most pushes of a worker: each has an element of its own, and all change the last one.
    static let numbers = 40
    /// What a push adds to the last element: only in the order of workers is their sum 0.
    static let shares: [Double] = [9_007_199_254_740_992, 1, -9_007_199_254_740_992]

    var pushes: [[RoundPush]] = Array(repeating: [], count: workers)
    /// Requests that have no answer yet.
    var open: [RoundRequest] = []
    var answers: [(request: RoundRequest, result: Result<Receipt?, ServingError>)] = []
    var requests = 0
    /// The steps that requests made.
    var closedSteps: Set<Int> = []
    /// The newest version that a client has seen.
    private var seen: SeenVersion?
    /// The step at which its mode began.
    private var firstStep = 0
    private var follower = Follower()
    private(set) var reached: Set<Reach> = []

    /// The model; nil if there is none.
    var model: Model? { try? registry?.model(named: Self.name) }

    override func act() {
        if let forgotten = open.first(where: { $0.life < life }) { return send(forgotten) }
        guard model != nil else { return ask(.create) }
        switch pick(0...11) {
        case 0: ask(.patch(mode()))
        case 1: ask(.close)
        case 2: repeatPush()
        default: push()
        }
    }

    override func settle() {
        let mayBeSmall = open.contains { $0.isClosing }
        takeAnswers()
        guard let model else { return }
        observe(model, mayBeSmall)
        if let problem = follower.read(model.events) { fail(problem) }
    }

    override func forgetAnswers() { answers = [] }

    private func mode() -> SettingValue {
        switch pick(0...6) {
        case 0: ["mode": "async"]
        case 1: ["mode": "ssp", "workers": 3, "slack": 2]
        case 2: ["mode": "manual", "reduce": "sum"]
        case 3: ["mode": "sync", "workers": 3, "reduce": "sum", "round_timeout": "86400s"]
        case 4...5: ["mode": "sync", "workers": 3, "min_pushes": 2, "reduce": "sum", "round_timeout": "1s"]
        default:
            [
                "mode": "sync", "workers": 3, "min_pushes": 2, "reduce": "sum", "round_timeout": "1s",
                "on_timeout": "extend",
            ]
        }
    }

    // MARK: Versions

    /// Compares the newest version with the one before.
    private func observe(_ model: Model, _ mayBeSmall: Bool) {
        guard model.publication.current.version != seen?.version else { return }
        let now = SeenVersion(model)
        note("version \(now.version), step \(now.step): \(now.counts.map { $0.reduce(0, +) })")
        compare(now, mayBeSmall)
        if now.consistency != seen?.consistency { firstStep = now.step + 1 }
        seen = now
    }

    private func compare(_ now: SeenVersion, _ mayBeSmall: Bool) {
        guard let before = seen else { return eachCount(of: now) { judge($0, $1, step: nil) } }
        let isUpdate = now.isOneUpdate(after: before)
        eachCount(of: now) { judge($0, $1, step: isUpdate ? now.step : nil) }
        let mayBeSmall = mayBeSmall || closedSteps.contains(now.step)
        if let problem = now.problem(after: before, mayBeSmall: mayBeSmall, mayRepeat: now.step == firstStep) {
            return fail(problem)
        }
        if isUpdate, now.consistency.hasRounds {
            follower.expect(now.version, pushes: now.added(after: before).reduce(0, +))
        }
        let isPatch = now.version == before.version + 1 && now.step == before.step
        if isPatch, now.consistency != before.consistency { follower.expect(now.version, pushes: 0) }
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
        if let step, seen?.counts[place.worker][place.index] == 0 { pushes[place.worker][place.index].step = step }
        switch push.state {
        case .dropped, .refused: fail("\(place) was \(push.state), and is counted")
        case .sent, .held, .applied, .unknown: break
        }
    }

    // MARK: Starts and the end

    /// Compares what a start has recovered with what the clients know.
    override func reconcile() {
        guard let model else {
            if seen != nil, !isUncertain { fail("the model is gone") }
            return forgetAll()
        }
        if isUncertain {
            forgetAll()
            follower.start(model.events)
        } else if let seen {
            if model.uid != seen.uid { return fail("there is another model \(model.uid)") }
            compare(SeenVersion(model), true)
            compareEvents(model.events, isStart: true)
            if let problem = follower.resume(model.events) { fail(problem) }
        }
        observe(model, true)
        if pushes.joined().contains(where: { $0.state == .held }) { reached.insert(.heldAtStart) }
    }

    /// After a loss nothing is known: numbers that were used are not used again.
    private func forgetAll() {
        (seen, closedSteps) = (nil, [])
        pushes = pushes.map { $0.map { _ in RoundPush(state: .unknown) } }
        open.removeAll { if case .create = $0.kind { false } else { true } }
    }

    private func compareEvents(_ feed: EventFeed, isStart: Bool) {
        guard !follower.seen.isEmpty else { return }
        let (isAccepted, problem) = follower.compare(with: feed, from: pick(0...follower.seen.count - 1))
        if let problem { fail(problem) }
        if isStart, isAccepted { reached.insert(.resumed) }
    }

    /// Ends the last round by a mode without rounds; then every push that was acknowledged is in the parameters.
    override func finish() {
        while problems.isEmpty, !begin() {}
        simulation.run { if model == nil { ask(.create) } }
        wait()
        simulation.run { ask(.patch(["mode": "async"])) }
        wait()
        if problems.isEmpty { judgeHeld() }
        end(dies: false)
        guard problems.isEmpty, begin() else { return }
        end(dies: false)
    }

    /// Gives turns until every request is answered and the follower has everything.
    private func wait() {
        for _ in 0..<20_000 where problems.isEmpty && !open.isEmpty {
            simulation.run {
                for request in open where request.life < life { send(request) }
                simulation.turn()
                settle()
            }
        }
        guard problems.isEmpty else { return }
        if let request = open.first { return fail("\(request.kind) is never answered") }
        guard let model else { return fail("there is no model") }
        for _ in 0..<200 { simulation.run { settle() } }
        compareEvents(model.events, isStart: false)
        if let problem = follower.lag(behind: model.events) { fail(problem) }
    }

    /// Judges the pushes that were held and are not counted: rounds that were dropped must have had them all.
    private func judgeHeld() {
        for event in follower.seen { if case .round(let round) = event.event { reach(round.reason) } }
        let missing = pushes.enumerated().flatMap { worker, list in
            list.indices.filter { index in
                let isHeld = list[index].state == .held || list[index].state == .dropped
                return isHeld && seen?.counts[worker][index] != 1
            }.map { RoundPush.Place(worker: worker, index: $0) }
        }
        guard follower.isComplete, missing.count > follower.dropped else { return }
        fail("of \(missing), which were held, \(follower.dropped) were dropped and the others are lost")
    }

    private func reach(_ reason: SettledRound.Reason) {
        switch reason {
        case .full: reached.insert(.full)
        case .quorum: reached.insert(.quorum)
        case .deadline: reached.insert(.deadline)
        case .step: reached.insert(.step)
        case .mode: reached.insert(.mode)
        case .restored, .refused: break
        }
    }
}
