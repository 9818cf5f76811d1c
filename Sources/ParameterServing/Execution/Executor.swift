// The threads that run the models: one per core, never blocked by a model. A model with work is in the ready queue
// once; a thread takes it, handles what had arrived, and moves on to the next, so that a busy model cannot hold up a
// quiet one.

import Glibc
import Threading

/// A fixed pool of threads that runs models, each on one thread at a time.
public final class Executor: Loop {
    private struct State {
        var ready = Fifo<any Runnable>()
        /// The number of models that are running or still held by the thread that ran them.
        var running = 0
        var isStopping = false

        var isIdle: Bool { ready.isEmpty && running == 0 }

        mutating func takeNext() -> (any Runnable)? {
            guard let next = ready.popFirst() else { return nil }
            running += 1
            return next
        }
    }

    private let state = Locked(State())
    private let wakeUp = Condition()
    private let rests = Condition()
    private let threads = Locked<[LoopThread]>([])

    /// Starts the pool.
    ///
    /// - Parameter threads: the number of threads; usually the number of cores.
    public init(threads: Int) {
        let started = (0..<threads).compactMap { _ in LoopThread(self) }
        self.threads.withLock { $0 = started }
    }

    /// Ends the threads after all ready models have run.
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

    /// Runs `body` once.
    func perform(_ body: @escaping @Sendable () -> Void) { schedule(Errand(body)) }

    /// Runs the model that has been ready longest.
    public func turn() -> Turn {
        if let turn = runNext() { return turn }
        let isIdle = state.withLock { state in
            state.running -= 1
            return state.isIdle
        }
        if isIdle { rests.broadcast() }
        return .worked
    }

    /// Runs the model that has been ready longest; returns nil if it ran one, otherwise the turn to report.
    private func runNext() -> Turn? {
        let (next, isStopping) = state.withLock { ($0.takeNext(), $0.isStopping) }
        guard let next else { return isStopping ? .ended : .idle }
        next.run()
        return nil
    }

    /// Waits until nothing is ready and no thread holds a model; do not call it on one of the threads.
    func waitUntilIdle() { state.wait(for: rests) { $0.isIdle ? () : nil } }

    /// Waits until a model is ready or the executor ends.
    public func rest() { state.wait(for: wakeUp) { !$0.ready.isEmpty || $0.isStopping ? () : nil } }
}

/// Something that an executor runs.
public protocol Runnable: AnyObject, Sendable {
    /// Handles what has arrived. Called by one thread at a time.
    func run()
}

/// Work to be run once.
private final class Errand: Runnable {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func run() { body() }
}
