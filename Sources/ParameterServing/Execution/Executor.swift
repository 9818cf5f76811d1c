// The threads that run the models: as many as there are cores, never blocked by a model. A model that has something
// to do is in the ready queue once; the thread that takes it runs what had arrived, then moves on to the next one,
// so that a busy model cannot hold up a quiet one.

import Glibc
import Threading

/// A fixed pool of threads that runs models, each of them on one thread at a time.
public final class Executor: Sendable {
    private struct State {
        var ready: [any Runnable] = []
        var head = 0
        var isStopping = false
    }

    private let state = Locked(State())
    private let wakeUp = Condition()
    private let threads = Locked<[Thread]>([])

    /// Starts the pool.
    ///
    /// - Parameter threads: how many threads run models; the number of cores is the natural choice.
    public init(threads: Int) {
        let started = (0..<threads).compactMap { _ in Thread { self.run() } }
        self.threads.withLock { $0 = started }
    }

    /// Ends the threads after the models that are ready now have run.
    public func stop() {
        state.withLock { $0.isStopping = true }
        wakeUp.broadcast()
        let ending = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in ending { thread.join() }
    }

    func schedule(_ model: any Runnable) {
        state.withLock { $0.ready.append(model) }
        wakeUp.signal()
    }

    private func run() {
        while let model = next() { model.run() }
    }

    private func next() -> (any Runnable)? {
        state.wait(for: wakeUp) { state -> (any Runnable)?? in
            guard state.head < state.ready.count else { return state.isStopping ? .some(nil) : .none }
            let model = state.ready[state.head]
            state.head += 1
            if state.head == state.ready.count || state.head > 1024 {
                state.ready.removeFirst(state.head)
                state.head = 0
            }
            return model
        }
    }
}

/// Something an executor runs.
public protocol Runnable: AnyObject, Sendable {
    /// Handles what has arrived. One thread at a time calls it.
    func run()
}

/// Something to be run once.
final class Errand: Runnable {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func run() { body() }
}
