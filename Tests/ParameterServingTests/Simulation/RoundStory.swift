// A simulated history of one model whose mode changes while workers register, push, meet at a barrier and fall silent:
// every push is in one round, every round has what its mode needs, a lease ends when it should, and a follower of the
// model's events misses nothing, whatever dies and when.

import Names
import Optimizers

@testable import ParameterServing
@testable import Threading

/// A history of rounds, and of the workers that take part in them.
final class RoundStory: SimulatedHistory, @unchecked Sendable {
    /// What a history may reach; a test requires each of a few seeds.
    enum Reach: CaseIterable {
        case full, quorum, deadline, step, mode
        /// A start with acknowledged pushes in the open round.
        case heldAtStart
        /// A reader came back after a start, and continued.
        case resumed
        /// A lease ran out.
        case leaseEnded
        /// A round closed because the only worker that it waited for had left.
        case closedByDeparture
        /// A push of a registration that had ended was refused.
        case fenced
        /// A push told that numbers before it are missing.
        case gap
        /// A start with registered workers, whose registrations the events told before.
        case registeredAtStart
        /// A request waited until its round was applied, or was dropped.
        case waited, waitedInVain
        /// A request stopped waiting for its round.
        case leftRound
        /// All workers met at the barrier.
        case met
        /// An arrival ended with its worker's lease.
        case fencedAtBarrier
    }

    static let name = "rounds"
    static let workers = 3
    /// The least pushes of a round at its deadline.
    static let quorum = 2
    /// The most pushes of a worker: each has an element of its own, and all change the last one.
    static let numbers = 60
    /// What a push adds to the last element: only in the order of workers is their sum 0.
    static let shares: [Double] = [9_007_199_254_740_992, 1, -9_007_199_254_740_992]

    var pushes: [[RoundPush]] = Array(repeating: [], count: workers)
    var crew = Array(repeating: RoundWorker(), count: workers)
    var roster = Roster()
    var meeting = Meeting()
    /// Whether a registration has ended since the last audit.
    var hasLost = false
    /// Requests that have no final answer yet.
    var open: [RoundRequest] = []
    var answers: [(request: RoundRequest, result: Result<RoundRequest.Answer, ServingError>)] = []
    var requests = 0
    /// The highest epoch in an answer.
    var lastEpoch = 0
    /// The steps that requests made.
    var closedSteps: Set<Int> = []
    /// The newest version that a client has seen.
    var seen: SeenVersion?
    /// The step at which its mode began.
    var firstStep = 0
    var follower = Follower()
    var reached: Set<Reach> = []
    /// The time of the last turn.
    private var lastTurn: UInt64 = 0

    /// The model; nil if there is none.
    var model: Model? { try? registry?.model(named: Self.name) }

    override func act() {
        if let forgotten = open.first(where: { $0.life < life }) { return send(forgotten) }
        guard model != nil else { return ask(.create) }
        if hasLost { return audit() }
        if meeting.isOpen, pick(0...4) == 0 { return arrive() }
        switch pick(0...30) {
        case 0: ask(.patch(mode()))
        case 1: ask(.close)
        case 2...3: repeatPush()
        case 4...6: heartbeat()
        case 7...8: changeMembership()
        case 9: changeSilence()
        case 10...12: arrive()
        case 13: stopWaiting()
        case 14...15: audit()
        default: push()
        }
    }

    override func settle() {
        lastTurn = simulation.now
        let mayBeSmall = open.contains { $0.kind.isClosing }
        takeAnswers()
        guard let model else { return }
        readRoster(model)
        observe(model, mayBeSmall)
        judgeLeases()
        if let problem = follower.read(model.events) { fail(problem) }
    }

    override func forgetAnswers() { answers = [] }

    private func mode() -> SettingValue {
        let workers: SettingValue
        switch pick(0...11) {
        case 0: return ["mode": "async"]
        case 1: return ["mode": "ssp", "workers": 3, "slack": 2]
        case 2: return ["mode": "manual", "reduce": "sum"]
        case 3: return ["mode": "sync", "workers": 3, "reduce": "sum", "round_timeout": "86400s"]
        case 4...5: workers = 3
        default: workers = "registered"
        }
        let timeout = SettingValue.string(["1s", "4s", "4s", "86400s"][pick(0...3)])
        let end: SettingValue = pick(0...1) == 0 ? "drop" : "extend"
        return [
            "mode": "sync", "workers": workers, "min_pushes": 2, "reduce": "sum", "round_timeout": timeout,
            "on_timeout": end,
        ]
    }

    // MARK: Starts and the end

    /// Compares what a start has recovered with what the clients know.
    override func reconcile() {
        meeting.restart()
        for worker in crew.indices { crew[worker].restart(after: lastTurn, at: simulation.now) }
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
        audit(isStart: true)
        if pushes.joined().contains(where: { $0.state == .held }) { reached.insert(.heldAtStart) }
    }

    /// After a loss nothing is known: numbers that were used are not used again.
    private func forgetAll() {
        (seen, closedSteps, lastEpoch) = (nil, [], 0)
        roster.forget()
        pushes = pushes.map { list in
            list.map { push in
                var push = push
                push.state = .unknown
                return push
            }
        }
        for worker in crew.indices { crew[worker].doubt() }
        open.removeAll { if case .create = $0.kind { false } else { true } }
    }

    private func compareEvents(_ feed: EventFeed, isStart: Bool) {
        guard !follower.seen.isEmpty else { return }
        let (isAccepted, problem) = follower.compare(with: feed, from: pick(0...follower.seen.count - 1))
        if let problem { fail(problem) }
        if isStart, isAccepted { reached.insert(.resumed) }
    }

    /// Ends the last round by a mode without rounds; then every push that was acknowledged is in the parameters, and the
    /// workers can meet once more.
    override func finish() {
        while problems.isEmpty, !begin() {}
        let generation = crew.map(\.generation).max() ?? 1
        var hasRounds = true
        wait {
            if model == nil {
                ask(.create)
                return true
            }
            if hasRounds, mayAsk(.patch(["mode": "async"])) {
                ask(.patch(["mode": "async"]))
                hasRounds = false
            }
            return meet(at: generation)
        }
        if problems.isEmpty { judgeHeld() }
        end(dies: false)
        guard problems.isEmpty, begin() else { return }
        end(dies: false)
    }

    /// Gives turns until every request is answered and the follower has everything.
    ///
    /// - Parameter more: sends more requests; false once there are none.
    private func wait(for more: () -> Bool) {
        var isBusy = true
        for _ in 0..<20_000 where problems.isEmpty && isBusy {
            simulation.run {
                for request in open where request.life < life { send(request) }
                let hasMore = more()
                simulation.turn()
                settle()
                isBusy = hasMore || !open.isEmpty
            }
        }
        guard problems.isEmpty else { return }
        if let request = open.first { return fail("\(request.kind) is never answered") }
        guard let model, !isBusy else { return fail(model == nil ? "there is no model" : "the workers never meet") }
        for _ in 0..<200 { simulation.run { settle() } }
        compareEvents(model.events, isStart: false)
        if let problem = follower.lag(behind: model.events) { fail(problem) }
    }

    /// Judges the pushes that were held and are not counted: rounds that were dropped must have had them all.
    private func judgeHeld() {
        let missing = heldPlaces()
        guard follower.isComplete, missing.count > follower.dropped else { return }
        fail("of \(missing), which were held, \(follower.dropped) were dropped and the others are lost")
    }
}
