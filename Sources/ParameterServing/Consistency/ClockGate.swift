// Where pulls of mode `ssp` ask whether their worker may continue, under one short lock: the executor opens the gate after
// each update, network threads ask and wait.

import Names
import Threading

/// The pulls of workers that are too far ahead.
public final class ClockGate: Sendable {
    private struct State {
        /// The clock of the slowest worker, and how far the others may be ahead of it; nil in other modes, where
        /// pulls never wait.
        var rule: (slowest: Int, slack: Int)?
        var clocks: [Name: Int] = [:]
        var waiting: [Int: (worker: Name, resume: @Sendable (ServingError?) -> Void)] = [:]
        var nextToken = 0

        /// Why `worker` may not pull now; nil if it may.
        func refusal(of worker: Name) -> ServingError? {
            guard let rule, let clock = clocks[worker], clock - rule.slack > rule.slowest else { return nil }
            return .tooFarAhead(worker: worker, clock: clock, slowest: rule.slowest, wanted: clock - rule.slack)
        }
    }

    private let state = Locked(State())
    private let places: WaitingPlaces

    /// Makes an open gate; each pull that waits at it takes a place.
    init(places: WaitingPlaces = WaitingPlaces()) { self.places = places }

    /// Why a worker may not pull now; nil if it may.
    public func refusal(of worker: Name) -> ServingError? { state.withLock { $0.refusal(of: worker) } }

    /// Calls `resume` once the worker may pull: at once, or after an update.
    ///
    /// - Parameter resume: gets nil, or `tooManyWaiting` if no place is free.
    /// - Returns: a token for `cancel`; nil if `resume` has been called.
    public func wait(for worker: Name, resume: @escaping @Sendable (ServingError?) -> Void) -> WaitToken? {
        let (token, refusal): (WaitToken?, ServingError?) = state.withLock { state in
            guard state.refusal(of: worker) != nil else { return (nil, nil) }
            guard places.take() else { return (nil, .tooManyWaiting(limit: places.most)) }
            defer { state.nextToken += 1 }
            state.waiting[state.nextToken] = (worker, resume)
            return (WaitToken(number: state.nextToken), nil)
        }
        if token == nil { resume(refusal) }
        return token
    }

    /// Forgets a waiting pull.
    public func cancel(_ token: WaitToken) {
        let wasWaiting = state.withLock { $0.waiting.removeValue(forKey: token.number) != nil }
        if wasWaiting { places.free(1) }
    }

    /// Takes the clocks after a change; `rule` is nil in other modes.
    func update(_ clocks: WorkerClocks, rule: StaleSynchronous?) {
        let woken = state.withLock { state in
            state.clocks = clocks.clocks
            state.rule = rule.map { (clocks.slowest(of: $0.workers), $0.slack) }
            let free = state.waiting.filter { state.refusal(of: $0.value.worker) == nil }
            for number in free.keys { state.waiting[number] = nil }
            return free.sorted { $0.key < $1.key }
        }
        places.free(woken.count)
        for (_, pull) in woken { pull.resume(nil) }
    }

    /// Lets every waiting pull continue, which then finds that the model has ended.
    func end() { update(WorkerClocks(), rule: nil) }
}
