// Work on threads of its own: a load with fewer of them than it was given would measure something else.

import Threading

/// Threads that run side by side.
enum Threads {
    /// Runs each on a thread, and waits for all.
    static func run(_ bodies: [@Sendable () -> Void]) throws {
        let threads = bodies.map { Thread($0) }
        for thread in threads { thread?.join() }
        guard !threads.contains(where: { $0 == nil }) else {
            throw BenchmarkError("The system refused a thread; lower the load, or raise `ulimit -u`.")
        }
    }
}
