// A running server around a small application whose routes show one behaviour each.

import Glibc
import Threading

@testable import HTTPServing

/// A server on its own port; it is stopped when its last reference is released.
final class TestServer {
    let port: Int
    let hub = Hub()
    let server: HTTPServer

    init(_ adjust: (inout HTTPConfiguration) -> Void = { _ in }) throws {
        var configuration = HTTPConfiguration(address: .tcp(host: "127.0.0.1", port: 0), loopCount: 2)
        adjust(&configuration)
        server = HTTPServer(configuration: configuration, application: TestApplication(hub: hub))
        port = try server.start()
    }

    deinit { server.stop() }

    func client(patience: Int = 60) -> Client { Client(port: port, patience: patience) }
}

/// Waits up to a minute until `condition` holds: a sanitizer and other tests may slow everything down.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<12_000 {
        if condition() { return true }
        usleep(5_000)
    }
    return condition()
}

/// The observations of the application's routes, and the exchanges that wait in it.
final class Hub: Sendable {
    struct Seen {
        var requests: [Request] = []
        var waiting: [Exchange] = []
        var finished = 0
        var descriptors: [Int32] = []
        var sources: [TestSource] = []
        var abandonedBodies = 0
        var abandonedWaits = 0
    }

    private let state = Locked(Seen())

    var seen: Seen { state.withLock { $0 } }

    func note(_ change: (inout Seen) -> Void) { state.withLock { change(&$0) } }

    /// Completes every waiting exchange with `text`.
    func wake(_ text: String) {
        let waiting = state.withLock { seen in
            defer { seen.waiting = [] }
            return seen.waiting
        }
        for exchange in waiting { exchange.complete { .text(text) } }
    }
}

extension Response {
    /// The answer to a request for which no memory was left.
    ///
    /// - `payer`: the payer whose bodies must make room; nil if any payer's may.
    static func wantingRoom(of payer: String?) -> Response {
        var response = text("no room\n", status: 503)
        response.asksForRoom = true
        response.payer = payer
        return response
    }

    static func text(_ text: String, status: Int = 200) -> Response {
        Response(status: status, headers: [(name: "Content-Type", value: "text/plain")], body: .bytes(Array(text.utf8)))
    }
}

/// The routes.
struct TestApplication: Application {
    let hub: Hub

    func route(_ request: Request) -> Plan {
        hub.note { $0.requests.append(request) }
        switch request.path.first {
        case "refuse": return .refuse(.text("refused\n", status: 403))
        case "echo": return .read(Echo(hub: hub), limit: 1 << 20)
        case "unlimited": return .read(Echo(hub: hub), limit: .max)
        case "rest": return .read(Resting(hub: hub), limit: .max)
        case "early": return .read(EarlyRefuser(hub: hub), limit: 1 << 30)
        case "park": return .answer(park)
        case "hold": return .answer { exchange in hub.note { $0.waiting.append(exchange) } }
        case "expire": return .answer(expire)
        case "wait": return .answer(wait)
        case "room":
            return .answer { exchange in exchange.complete { .wantingRoom(of: request.path.dropFirst().first) } }
        case "paid": return .read(Echo(hub: hub, payers: Array(request.path.dropFirst())), limit: .max)
        case "slow-push": return .read(SlowPush(hub: hub), limit: 1 << 20)
        case "busy":
            usleep(useconds_t(1_000 * (Int(request.path.last ?? "") ?? 0)))
            return .answer { exchange in exchange.complete { .text("done\n") } }
        case "status":
            let status = Int(request.path.last ?? "") ?? 500
            return .answer { exchange in exchange.complete { .text("not to be sent\n", status: status) } }
        case "stream": return .answer { exchange in exchange.complete { stream(request) } }
        case "file": return .answer(file)
        case "pieces": return .answer { exchange in exchange.complete { pieces(request) } }
        case "segments": return .answer { exchange in exchange.complete { segments(request) } }
        default:
            let path = request.path.joined(separator: "|")
            return .answer { exchange in exchange.complete { .text("\(request.method.rawValue) \(path)\n") } }
        }
    }

    private func park(_ exchange: Exchange) {
        exchange.onAbandon { [hub] in hub.note { $0.abandonedWaits += 1 } }
        hub.note { $0.waiting.append(exchange) }
    }

    private func expire(_ exchange: Exchange) {
        exchange.expire(after: .milliseconds(50)) { .text("too late\n", status: 202) }
    }

    /// Like a waiting pull: abandoned when the client leaves, and answered at its deadline, which is far in the future.
    private func wait(_ exchange: Exchange) {
        park(exchange)
        exchange.expire(after: .seconds(1_000)) { .text("time is up\n", status: 202) }
    }

    /// Bytes 2 to 6 of a file that no longer has a name.
    private func file(_ exchange: Exchange) {
        var path = Array("/tmp/http-serving-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        unlink(path)
        write(descriptor, "a range b", 9)
        hub.note { $0.descriptors.append(descriptor) }
        exchange.complete {
            Response(status: 200, body: .file(Response.FileRange(descriptor: descriptor, offset: 2, count: 5)))
        }
    }

    /// Content that the test makes; the second part of the path is its length in bytes.
    private func stream(_ request: Request) -> Response {
        let source = TestSource(count: request.path.count > 1 ? Int(request.path[1]) : nil)
        hub.note { $0.sources.append(source) }
        return Response(status: 200, body: .stream(source))
    }

    /// Segments, as many as the second part of the path says: segment n has 1 + n % 7 bytes, each of value n % 251.
    private func pieces(_ request: Request) -> Response {
        let segments = (0..<(Int(request.path.last ?? "") ?? 0)).map { index in
            let block = Block(count: 1 + index % 7)
            block.bytes.initializeMemory(as: UInt8.self, repeating: UInt8(index % 251))
            return Response.Segment(owner: block, bytes: UnsafeRawBufferPointer(block.bytes))
        }
        return Response(status: 200, body: .segments(segments))
    }

    /// Segments of 1 MiB, as many as the second part of the path says, each filled with its number.
    private func segments(_ request: Request) -> Response {
        let count = Int(request.path.last ?? "") ?? 0
        let block = Block(count: count << 20)
        for index in 0..<count {
            block.bytes[index << 20..<(index + 1) << 20].initializeMemory(as: UInt8.self, repeating: UInt8(index))
        }
        let segments = (0..<count).map {
            Response.Segment(
                owner: block, bytes: UnsafeRawBufferPointer(rebasing: block.bytes[$0 << 20..<($0 + 1) << 20]))
        }
        return Response(status: 200, body: .segments(segments))
    }
}

/// Memory that is returned when it is no longer referenced.
final class Block: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer
    init(count: Int) { bytes = .allocate(byteCount: count, alignment: 64) }
    deinit { bytes.deallocate() }
}

/// Answers with the number and the sum of the body's bytes.
final class Echo: BodyReceiver {
    private let hub: Hub
    private var count = 0
    private var sum = 0

    let payers: [String]

    init(hub: Hub, payers: [String] = []) {
        self.hub = hub
        self.payers = payers
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? {
        count += bytes.count
        for byte in bytes { sum += Int(byte) }
        return nil
    }

    func finish(_ exchange: Exchange) {
        hub.note { $0.finished += 1 }
        exchange.complete { [count, sum] in .text("\(count) \(sum)\n") }
    }

    func abandon() { hub.note { $0.abandonedBodies += 1 } }
}

/// Rests in the hub after the first bytes and after each further 1000; answers with the sum of all bytes.
final class Resting: BodyReceiver {
    private let hub: Hub
    private var (count, sum, rested) = (0, 0, -1)

    init(hub: Hub) { self.hub = hub }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? {
        count += bytes.count
        for byte in bytes { sum += Int(byte) }
        return nil
    }

    var pause: ((Exchange) -> Void)? {
        guard count / 1000 > rested else { return nil }
        rested = count / 1000
        return { [hub] exchange in hub.note { $0.waiting.append(exchange) } }
    }

    func finish(_ exchange: Exchange) { exchange.complete { [count, sum] in .text("\(count) \(sum)\n") } }
    func abandon() { hub.note { $0.abandonedBodies += 1 } }
}

/// Refuses the body at its first byte.
final class EarlyRefuser: BodyReceiver {
    private let hub: Hub
    init(hub: Hub) { self.hub = hub }
    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? { .text("no\n", status: 422) }
    func finish(_ exchange: Exchange) { hub.note { $0.finished += 1 } }
    func abandon() { hub.note { $0.abandonedBodies += 1 } }
}

/// Waits in the hub once its body is complete, as a push waits for the journal.
final class SlowPush: BodyReceiver {
    private let hub: Hub
    init(hub: Hub) { self.hub = hub }
    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? { nil }
    func finish(_ exchange: Exchange) { hub.note { $0.waiting.append(exchange) } }
    func abandon() { hub.note { $0.abandonedBodies += 1 } }
}
