// The API without a socket: requests go through the server's state machine (`Transaction`) to the application and back,
// on the test's thread. HTTPServing's tests and Tests/conformance test the network.

import Journal
import Optimizers
import ParameterServing
import Testing
import Threading

@testable import HTTPServing
@testable import ParameterAPI

/// A registry with the API, on a loop that is the test's own thread.
final class InProcess: ExchangeLoop, @unchecked Sendable {
    let registry: ModelRegistry
    let api: ParameterAPI
    let timers: Timers
    private let settled = Locked<Set<ObjectIdentifier>>([])
    private let change = Condition()

    private let peer: Remote
    private let directory: TemporaryDirectory

    /// Serves from its own directory.
    ///
    /// With timers that a test turns by hand, time passes only when the test turns them.
    init(memoryLimit: Int = 1 << 30, timers: Timers = .process) throws {
        self.timers = timers
        try #require(timers.start())
        directory = try TemporaryDirectory()
        peer = Remote(try #require(SocketAddress(path: "\(directory.path)/socket")))
        var configuration = ServingConfiguration(memoryLimit: memoryLimit)
        configuration.timers = timers
        let data = try DataDirectory(directory.path, settings: JournalSettings(segmentBytes: 64 << 10))
        registry = try ModelRegistry.open(data, configuration: configuration, catalogue: .builtin) { _ in }.0
        api = ParameterAPI(registry: registry, version: "0.1.0")
    }

    deinit { registry.close() }

    /// Messages for the loop from other threads.
    func post(_ message: EventLoop.Message) {
        switch message {
        case .settled(let exchange), .woken(let exchange):
            settled.withLock { _ = $0.insert(ObjectIdentifier(exchange)) }
        default: return
        }
        change.broadcast()
    }

    /// Sends a request, its body in pieces of `pieces` bytes, and waits for the answer; nil if the connection is cut.
    func send(
        _ method: Method, _ target: String, headers: [(name: String, value: String)] = [], body: [UInt8]? = nil,
        pieces: Int = .max
    ) throws -> Answer? {
        let under = transaction(target)
        defer { under.end() }
        let request = try Request(
            method: method, target: target, headers: Headers(headers), contentLength: body?.count)
        var move = under.begin(.success(request), sendsBody: body != nil)
        var rest = (body ?? [])[...]
        while case .proceed = move, !rest.isEmpty {
            move = rest.prefix(pieces).withUnsafeBytes { under.receive($0) }
            rest = rest.dropFirst(pieces)
        }
        if case .proceed = move { move = under.advance() }
        return try answer(to: move, of: under)
    }

    /// Sends a request whose client leaves before the answer, or after a number of bytes of its body.
    func leave(_ method: Method, _ target: String, body: [UInt8]? = nil, after sent: Int = 0) throws {
        let under = transaction(target)
        let request = try Request(method: method, target: target, contentLength: body?.count)
        _ = under.begin(.success(request), sendsBody: body != nil)
        if let body {
            _ = body.prefix(sent).withUnsafeBytes { under.receive($0) }
        } else {
            _ = under.advance()
        }
        under.end()
    }

    private func transaction(_ target: String) -> Transaction {
        let context = TransactionContext(
            application: api, loop: self, render: ParameterAPI.render, maximumIgnoredBytes: 65_536)
        let connection = Connection(descriptor: -1, remote: peer, stage: .held)
        let handle = OpaquePointer(UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque()))
        return target.withCString {
            Transaction(target: $0, handle: handle, connection: connection, context: context)
        }
    }

    private func answer(to move: Transaction.Move, of under: Transaction) throws -> Answer? {
        switch move {
        case .answer(let response), .interrupt(let response): return try Answer(response)
        case .park(let exchange):
            wait(for: exchange)
            return try answer(to: under.advance(), of: under)
        case .cut: return nil
        case .proceed: throw Unanswered()
        }
    }

    /// Waits until the exchange is settled; a deadline settles it too.
    private func wait(for exchange: Exchange) {
        settled.wait(for: change) { settled in settled.remove(ObjectIdentifier(exchange)).map { _ in () } }
    }

    /// Thrown if the whole request has been sent and the server neither answers nor waits.
    struct Unanswered: Error {}
}
