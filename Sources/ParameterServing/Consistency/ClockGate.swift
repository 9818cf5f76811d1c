// Where pulls of mode `ssp` ask whether their worker may continue, under one short lock: the executor opens the gate after
// each update, network threads ask and wait.

import Names
import Threading

/// The pulls of workers that are too far ahead.
///
/// 1. Each waiting pull has a place among those of all models, which is freed when it continues or is cancelled.
public final class ClockGate: Sendable {
    private struct State {
        /// The clock of the slowest worker, and how far the others may be ahead of it; nil in other modes, where
        /// pulls never wait.
        var rule: (slowest: Int, slack: Int)?
        var clocks: [Name: Int] = [:]
        /// `resume` is nil until the pull can be woken.
        var waiting: [Int: (worker: Name, resume: (@Sendable () -> Void)?)] = [:]
        var nextToken = 0

        /// Why `worker` may not pull now; nil if it may.
        func refusal(of worker: Name) -> ServingError? {
            guard let rule, let clock = clocks[worker], clock - rule.slack > rule.slowest else { return nil }
            return .tooFarAhead(worker: worker, clock: clock, slowest: rule.slowest, wanted: clock - rule.slack)
        }
    }

    private let state = Locked(State())
    private let places: WaitingPlaces

    /// Makes a gate that everyone passes.
    init(_ places: WaitingPlaces = WaitingPlaces()) { self.places = places }

    /// Why a worker may not pull now; nil if it may.
    public func refusal(of worker: Name) -> ServingError? { state.withLock { $0.refusal(of: worker) } }

    /// Calls `resume` once the worker may pull: at once, or after an update.
    ///
    /// - Parameters:
    ///   - worker: the worker that pulls.
    ///   - parked: called first with a token for `cancel` if the pull has to wait, so that the caller can arrange for its
    ///     end before another thread wakes it.
    ///   - resume: called once, on any thread, unless the pull is cancelled.
    /// - Throws: `tooManyWaiting`.
    public func wait(
        for worker: Name, parked: (WaitToken) -> Void, resume: @escaping @Sendable () -> Void
    ) throws(ServingError) {
        guard let token = try enter(worker) else { return resume() }
        parked(token)
        let isFree = state.withLock { state in
            guard state.waiting[token.number] != nil else { return false }
            let mayPull = state.refusal(of: worker) == nil
            state.waiting[token.number] = mayPull ? nil : (worker, resume)
            return mayPull
        }
        guard isFree else { return }
        places.free(1)
        resume()
    }

    /// Takes a place for a pull; nil if its worker may pull.
    private func enter(_ worker: Name) throws(ServingError) -> WaitToken? {
        let turn = state.withLock { state -> Result<WaitToken?, ServingError> in
            guard state.refusal(of: worker) != nil else { return .success(nil) }
            guard places.take() else { return .failure(places.refusal) }
            defer { state.nextToken += 1 }
            state.waiting[state.nextToken] = (worker, nil)
            return .success(WaitToken(number: state.nextToken))
        }
        return try turn.get()
    }

    /// Forgets a waiting pull.
    public func cancel(_ token: WaitToken) {
        let wasWaiting = state.withLock { $0.waiting.removeValue(forKey: token.number) != nil }
        if wasWaiting { places.free(1) }
    }

    /// Takes the clocks after a change; `rule` is nil in other modes.
    ///
    /// - Returns: the number of pulls that continue.
    @discardableResult
    func update(_ clocks: WorkerClocks, rule: StaleSynchronous?) -> Int {
        let woken = state.withLock { state in
            state.clocks = clocks.clocks
            state.rule = rule.map { (clocks.slowest(of: $0.workers), $0.slack) }
            let free = state.waiting.filter { $0.value.resume != nil && state.refusal(of: $0.value.worker) == nil }
            for number in free.keys { state.waiting[number] = nil }
            return free.sorted { $0.key < $1.key }
        }
        places.free(woken.count)
        for (_, pull) in woken { pull.resume?() }
        return woken.count
    }

    /// Lets every waiting pull continue, which then finds that the model has ended.
    func end() { update(WorkerClocks(), rule: nil) }
}
