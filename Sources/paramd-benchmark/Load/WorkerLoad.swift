// Workers that do the same requests one after another, each on a connection and a thread of its own.

import Threading

/// A number of workers.
struct WorkerLoad: Sendable {
    private let workers: [Worker]

    private struct Worker: @unchecked Sendable {
        let connection: Connection  // used by one thread at a time
        let requests: [Request]
    }

    private struct Tally {
        var steps = 0
        var failure: (any Error)?
    }

    /// - Parameter requests: by worker, the requests of one step; each must be answered with 200.
    init(port: UInt16, _ requests: [[Request]]) throws {
        workers = try requests.map { Worker(connection: try Connection(port: port), requests: $0) }
    }

    /// Steps per second of all workers together.
    func run(seconds: Double) throws -> Double {
        let (steps, elapsed) = try count(seconds: seconds)
        return Double(steps) / elapsed
    }

    /// The steps of all workers together, and the seconds until the last one ended.
    func count(seconds: Double) throws -> (steps: Int, seconds: Double) {
        let begin = Clock.now
        let end = begin + UInt64(seconds * 1e9)
        let tally = Locked(Tally())
        try Threads.run(workers.map { worker in { @Sendable in Self.work(worker, until: end, tally) } })
        let (steps, failure) = tally.withLock { ($0.steps, $0.failure) }
        if let failure { throw failure }
        return (steps, Double(Clock.now - begin) / 1e9)
    }

    private static func work(_ worker: Worker, until end: UInt64, _ tally: Locked<Tally>) {
        var steps = 0
        do {
            repeat {
                for request in worker.requests { try worker.connection.expect(200, of: request, until: end) }
                steps += 1
            } while Clock.now < end
        } catch {
            tally.withLock { $0.failure = $0.failure ?? error }
        }
        tally.withLock { $0.steps += steps }
    }
}
