// The barriers of a live model and the requests that wait at them: the board decides, this class keeps the callbacks. Any
// thread may use it; the work under the lock is short.

import Names
import Threading

/// A request that waits at a barrier.
public final class BarrierWait: Sendable {
    let number: Int
    let barrier: Name
    let resume: @Sendable (Result<BarrierFacts, ServingError>) -> Void
    /// Set once, under the lock of `Barriers`.
    fileprivate nonisolated(unsafe) var result: Result<BarrierFacts, ServingError>?
    private let place: WaitingPlaces.Place

    fileprivate init(
        _ number: Int, at barrier: Name, _ place: WaitingPlaces.Place,
        _ resume: @escaping @Sendable (Result<BarrierFacts, ServingError>) -> Void
    ) {
        (self.number, self.barrier, self.place, self.resume) = (number, barrier, place, resume)
    }
}

/// The barriers of a model.
public final class Barriers: Sendable {
    /// The answer to an arrival.
    public enum Answer: Sendable {
        /// The generation is over.
        case passed(BarrierFacts)
        /// The arrival counts, and the request does not wait.
        case held(BarrierFacts)
        /// `resume` will be called.
        case waits(BarrierWait)
    }

    private struct State {
        var board: BarrierBoard
        var kept: KeptMemory
        var waits: [Int: BarrierWait] = [:]
        var lastNumber = 0
        var end: ServingError?

        /// Settles requests under the lock; the caller resumes them outside.
        mutating func settle(_ requests: [Int], _ result: Result<BarrierFacts, ServingError>) -> [BarrierWait] {
            let settled = requests.compactMap { waits.removeValue(forKey: $0) }
            for wait in settled { wait.result = result }
            return settled
        }
    }

    private let state: Locked<State>
    private let places: WaitingPlaces

    init(_ configuration: ServingConfiguration, _ budget: MemoryBudget, _ places: WaitingPlaces) {
        self.places = places
        state = Locked(State(board: BarrierBoard(configuration), kept: KeptMemory(budget)))
    }

    /// Takes an arrival.
    ///
    /// - Parameters:
    ///   - arrival: who arrives where.
    ///   - now: the time.
    ///   - resume: called once if the request has to wait; nil for a request that does not wait.
    /// - Throws: `barrierDiffers`, `tooManyBarriers`, `tooManyAtBarriers`, `tooManyWaiting`, `outOfMemory`, or the end of
    ///   the model.
    func arrive(
        _ arrival: Arrival, at now: Tick, resume: (@Sendable (Result<BarrierFacts, ServingError>) -> Void)?
    ) throws(ServingError) -> Answer {
        let (answer, settled) = try state.withLock { state in
            Result { () throws(ServingError) in try arrive(arrival, at: now, resume, &state) }
        }.get()
        for wait in settled { if let result = wait.result { wait.resume(result) } }
        return answer
    }

    private func arrive(
        _ arrival: Arrival, at now: Tick, _ resume: (@Sendable (Result<BarrierFacts, ServingError>) -> Void)?,
        _ state: inout State
    ) throws(ServingError) -> (Answer, [BarrierWait]) {
        if let end = state.end { throw end }
        try state.kept.makeRoom(for: state.board.bytes + BarrierBoard.bytesAdded)
        defer { state.kept.follow(state.board.bytes) }
        state.lastNumber += 1
        let place = resume == nil ? nil : places.place()
        let wait = place.flatMap { place in
            resume.map { BarrierWait(state.lastNumber, at: arrival.barrier, place, $0) }
        }
        // One that ends the passing, or comes after its end, needs no place.
        let turn = try state.board.arrive(
            arrival, request: wait?.number, orElse: resume == nil || wait != nil ? nil : places.refusal, at: now.uptime)
        let settled = turn.ended.map { state.settle($0.requests, .success($0.facts)) } ?? []
        if let facts = turn.passed { return (.passed(facts), settled) }
        guard let wait else { return (.held(state.board.facts(of: arrival.barrier)), settled) }
        state.waits[wait.number] = wait
        return (.waits(wait), settled)
    }

    /// The open generation of a barrier; the first one of a barrier that is not known.
    public func facts(of barrier: Name, at now: Tick) -> BarrierFacts {
        state.withLock { state in
            defer { state.kept.follow(state.board.bytes) }
            return state.board.open(barrier, at: now.uptime)
        }
    }

    /// Ends a wait whose time is up.
    ///
    /// - Returns: its result if there is one already; otherwise who has arrived so far.
    public func giveUp(_ wait: BarrierWait, at now: Tick) -> Result<BarrierFacts, ServingError> {
        state.withLock { state in
            if let result = wait.result { return result }
            state.waits[wait.number] = nil
            let result = Result<BarrierFacts, ServingError>.success(
                state.board.giveUp(wait.number, at: wait.barrier, now: now.uptime))
            wait.result = result
            return result
        }
    }

    /// Withdraws the arrival of a request whose client has left, or has probably left.
    ///
    /// - Returns: its result if there is one already; otherwise who is still there.
    @discardableResult
    public func withdraw(_ wait: BarrierWait) -> Result<BarrierFacts, ServingError> {
        state.withLock { state in
            if let result = wait.result { return result }
            state.waits[wait.number] = nil
            let result = Result<BarrierFacts, ServingError>.success(
                state.board.withdraw(wait.number, at: wait.barrier))
            state.kept.follow(state.board.bytes)
            wait.result = result
            return result
        }
    }

    /// Takes a worker that has left the model out of all barriers and answers its requests with `reason`.
    func leave(_ worker: Name, _ reason: ServingError) {
        answer(.failure(reason)) { state in
            defer { state.kept.follow(state.board.bytes) }
            return state.board.leave(worker)
        }
    }

    /// Answers all waiting and future requests with `reason`.
    func end(_ reason: ServingError) {
        answer(.failure(reason)) { state in
            state.end = reason
            return state.waits.keys.sorted()
        }
    }

    private func answer(
        _ result: Result<BarrierFacts, ServingError>, _ choose: (inout State) -> [Int]
    ) {
        let settled = state.withLock { state in
            let requests = choose(&state)
            return state.settle(requests, result)
        }
        for wait in settled { wait.resume(result) }
    }
}

extension Model {
    /// Takes a worker's arrival at a barrier, which renews the lease of a registered worker.
    ///
    /// - Parameters:
    ///   - arrival: who arrives where.
    ///   - epoch: the worker's registration; nil for the current one, or for a worker that never registered.
    ///   - resume: called once, after `reply`, if the request has to wait; nil for a request that does not wait.
    ///   - reply: called once, on an executor thread, with the answer or the refusal.
    public func arrive(
        _ arrival: Arrival, epoch: Int?, resume: (@Sendable (Result<BarrierFacts, ServingError>) -> Void)?,
        reply: @escaping @Sendable (Result<Barriers.Answer, ServingError>) -> Void
    ) {
        adjust(about: arrival.worker) { [clock, barriers] state in
            reply(
                Result { () throws(ServingError) in
                    let now = clock()
                    if epoch != nil || state.ledger.workers[arrival.worker] != nil {
                        _ = try state.renewLease(of: arrival.worker, epoch: epoch, at: now)
                    }
                    return try barriers.arrive(arrival, at: now, resume: resume)
                })
        }
    }
}
