// Long work beside the models: answers that take milliseconds, or seconds, to make. It is done in slices on the models'
// own threads, a few pieces of work at a time and in turn, and each lane goes behind the models that are ready meanwhile.

import Threading

/// Work that is done in slices.
public protocol SlicedWork: AnyObject, Sendable {
    /// Does a part that takes about a millisecond; one thread at a time calls it.
    ///
    /// - Returns: whether there is more to do now.
    func slice() -> Bool
}

/// Work in slices that takes turns, so much of it at a time as there are lanes.
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

    /// Does the work, slice by slice, until a slice says that there is no more.
    public func add(_ work: any SlicedWork) {
        let opensLane = state.withLock { state in
            state.waiting.append(work)
            guard state.busyLanes < lanes else { return false }
            state.busyLanes += 1
            return true
        }
        if opensLane { executor.schedule(self) }
    }

    /// Does work that is one slice.
    public func add(_ body: @escaping @Sendable () -> Void) { add(OneSlice(body)) }

    /// Does one slice; called by the executor, once for each lane.
    public func run() {
        guard let work = takeNext() else { return }
        if work.slice() { state.withLock { $0.waiting.append(work) } }
        executor.schedule(self)
    }

    /// The work whose turn it is; without any, the lane ends.
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
