// Where pulls of mode `ssp` ask whether their worker may continue, under one short lock: the executor opens the gate after
// each update, network threads ask and wait.

import Names
import Threading

/// The pulls of workers that are too far ahead.
public final class ClockGate: Sendable {
    private struct State {
        /// Nil in other modes, where pulls never wait.
        var rule: (workers: Int, slack: Int)?
        var clocks = WorkerClocks()
        var waiting: [Int: (worker: Name, resume: @Sendable () -> Void)] = [:]
        var nextToken = 0

        /// The clock that the slowest must reach before `worker` may pull; nil if it may.
        func wanted(for worker: Name) -> (clock: Int, wanted: Int)? {
            guard let rule, let clock = clocks.clocks[worker] else { return nil }
            let wanted = clock - rule.slack
            return clocks.slowest(of: rule.workers) >= wanted ? nil : (clock, wanted)
        }
    }

    private let state = Locked(State())

    /// Why a worker may not pull now; nil if it may.
    public func refusal(of worker: Name) -> ServingError? {
        state.withLock { state in
            guard let rule = state.rule, let (clock, wanted) = state.wanted(for: worker) else { return nil }
            return .tooFarAhead(
                worker: worker, clock: clock, slowest: state.clocks.slowest(of: rule.workers), wanted: wanted)
        }
    }

    /// Calls `resume` once the worker may pull: at once, or after an update.
    ///
    /// - Returns: a token for `cancel`; nil if `resume` has been called.
    public func wait(for worker: Name, resume: @escaping @Sendable () -> Void) -> WaitToken? {
        let token: WaitToken? = state.withLock { state in
            guard state.wanted(for: worker) != nil else { return nil }
            defer { state.nextToken += 1 }
            state.waiting[state.nextToken] = (worker, resume)
            return WaitToken(number: state.nextToken)
        }
        if token == nil { resume() }
        return token
    }

    /// Forgets a waiting pull.
    public func cancel(_ token: WaitToken) { state.withLock { $0.waiting[token.number] = nil } }

    /// Takes the clocks after a change; `rule` is nil in other modes.
    func update(_ clocks: WorkerClocks, rule: StaleSynchronous?) {
        let woken = state.withLock { state in
            state.clocks = clocks
            state.rule = rule.map { ($0.workers, $0.slack) }
            let free = state.waiting.filter { state.wanted(for: $0.value.worker) == nil }
            for number in free.keys { state.waiting[number] = nil }
            return free.sorted { $0.key < $1.key }
        }
        for (_, pull) in woken { pull.resume() }
    }

    /// Lets every waiting pull continue, which then finds that the model has ended.
    func end() { update(WorkerClocks(), rule: nil) }
}
