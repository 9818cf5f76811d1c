// Long work next to the models: answers that take milliseconds or seconds to make. It runs in slices on the model
// threads, a few jobs at a time in turn, and each lane queues behind the models that are ready meanwhile.

import Threading

/// Work in slices.
public protocol SlicedWork: AnyObject, Sendable {
    /// Does a part that takes about a millisecond. Called by one thread at a time.
    ///
    /// - Returns: whether there is more to do now.
    func slice() -> Bool
}

/// Jobs in slices that take turns, as many at a time as there are lanes.
public final class SliceQueue: Runnable {
    private struct State {
        var waiting = Fifo<any SlicedWork>()
        var busyLanes = 0
    }

    private let state = Locked(State())
    private let executor: Executor
    private let lanes: Int

    init(_ executor: Executor, lanes: Int) {
        self.executor = executor
        self.lanes = lanes
    }

    /// Does the work, slice by slice, until a slice returns that there is no more.
    public func add(_ work: any SlicedWork) {
        let opensLane = state.withLock { state in
            state.waiting.append(work)
            guard state.busyLanes < lanes else { return false }
            state.busyLanes += 1
            return true
        }
        if opensLane { executor.schedule(self) }
    }

    /// Does work that consists of one slice.
    public func add(_ body: @escaping @Sendable () -> Void) { add(OneSlice(body)) }

    /// Does one slice.
    ///
    /// Called by the executor, once for each lane.
    public func run() {
        guard let work = takeNext() else { return }
        if work.slice() { state.withLock { $0.waiting.append(work) } }
        executor.schedule(self)
    }

    /// The next work; the lane ends if there is none.
    private func takeNext() -> (any SlicedWork)? {
        state.withLock { state in
            let next = state.waiting.popFirst()
            if next == nil { state.busyLanes -= 1 }
            return next
        }
    }
}

private final class OneSlice: SlicedWork {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func slice() -> Bool {
        body()
        return false
    }
}
