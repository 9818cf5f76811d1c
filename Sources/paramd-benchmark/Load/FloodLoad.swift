// Many connections that each send the next request when the last is answered, on two threads with epoll.

import CReference
import Glibc
import Threading

/// A number of connections with one small request.
struct FloodLoad: Sendable {
    private let port: UInt16
    private let request: Request
    private let connections: Int

    init(port: UInt16, _ request: Request, connections: Int) {
        (self.port, self.request, self.connections) = (port, request, connections)
    }

    /// Answers per second.
    func run(seconds: Double) throws -> Double {
        let tally = Locked((answers: 0, failure: (any Error)?.none))
        let halves = try (0..<2).map { _ in try Half(port, request, connections: connections / 2) }
        let begin = Clock.now
        let end = begin + UInt64(seconds * 1e9)
        try Threads.run(
            halves.map { half in
                { @Sendable in
                    do {
                        let answers = try half.run(until: end)
                        tally.withLock { $0.answers += answers }
                    } catch { tally.withLock { $0.failure = $0.failure ?? error } }
                }
            })
        let (answers, failure) = tally.withLock { ($0.answers, $0.failure) }
        if let failure { throw failure }
        return Double(answers) / Double(Clock.now - begin) * 1e9
    }
}

/// The connections of one thread.
private final class Half: @unchecked Sendable {
    private let poll = epoll_create1(0)
    private let connections: [Connection]
    private let request: Request
    /// The size of every answer; the first one tells it.
    private let answerSize: Int

    init(_ port: UInt16, _ request: Request, connections: Int) throws {
        self.request = request
        self.connections = try (0..<connections).map { _ in try Connection(port: port) }
        let first = try Connection(port: port)
        try first.expect(200, of: request)
        answerSize = first.lastSize
        for (index, connection) in self.connections.enumerated() {
            var event = epoll_event()
            (event.events, event.data.u64) = (EPOLLIN.rawValue, UInt64(index))
            epoll_ctl(poll, EPOLL_CTL_ADD, connection.socket, &event)
        }
    }

    deinit { close(poll) }

    func run(until end: UInt64) throws -> Int {
        var answers = 0
        for connection in connections { try connection.send(request) }
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        while Clock.now < end {
            let count = epoll_wait(poll, &events, 256, 1000)
            guard count >= 0 || errno == EINTR else { throw BenchmarkError("epoll_wait failed.") }
            guard count != 0 else { throw BenchmarkError("No answer came within a second.") }
            for event in events[..<max(0, Int(count))] {
                let connection = connections[Int(event.data.u64)]
                guard try connection.take(answerSize) else { continue }
                answers += 1
                try connection.send(request)
            }
        }
        return answers
    }
}
