// Parked requests: woken, expired, abandoned, and all of these at the same time.

import Glibc
import Testing
import Threading

@testable import HTTPServing

@Suite("Exchanges")
struct ExchangeTests {
    @Test("a parked exchange is answered from another thread, and its connection kept")
    func parked() throws {
        let server = try TestServer()
        let client = server.client()
        for _ in 0..<2 {
            client.request("GET", "/park")
            #expect(eventually { server.hub.seen.waiting.count == 1 })
            server.hub.wake("awake\n")
            #expect(try #require(client.answer()).text == "awake\n")
        }
        #expect(server.hub.seen.abandonedWaits == 0)
    }

    @Test("a push that waits after its body is answered, and its connection kept")
    func parkedAfterBody() throws {
        let server = try TestServer()
        let client = server.client()
        for _ in 0..<2 {
            client.request("POST", "/slow-push", body: String(repeating: "x", count: 100_000))
            #expect(eventually { server.hub.seen.waiting.count == 1 })
            server.hub.wake("durable\n")
            #expect(try #require(client.answer()).text == "durable\n")
        }
    }

    @Test("an exchange that is never completed is answered at its deadline")
    func expires() throws {
        let server = try TestServer()
        let client = server.client()
        for _ in 0..<2 {
            client.request("GET", "/expire")
            let answer = try #require(client.answer())
            #expect(answer.status == 202)
            #expect(answer.text == "too late\n")
        }
    }

    @Test("the first completion counts")
    func firstCompletion() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/park")
        #expect(eventually { server.hub.seen.waiting.count == 1 })
        let exchange = try #require(server.hub.seen.waiting.first)
        exchange.complete { .text("first\n") }
        exchange.complete { .text("second\n") }
        exchange.expire(after: .zero) { .text("third\n") }
        #expect(try #require(client.answer()).text == "first\n")
        client.request("GET", "/next")
        #expect(try #require(client.answer()).text == "GET next\n")
    }

    @Test("a deadline set while parked counts", arguments: [1, 40])
    func lateDeadline(milliseconds: Int) throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/park")
        #expect(eventually { server.server.counters.parked == 1 })
        let exchange = try #require(server.hub.seen.waiting.first)
        exchange.expire(after: .seconds(1_000)) { .text("never\n") }
        exchange.expire(after: .milliseconds(milliseconds)) { .text("late\n") }
        #expect(try #require(client.answer()).text == "late\n")
    }

    @Test("a client that leaves while parked is noticed", arguments: [false, true])
    func abandoned(byReset: Bool) throws {
        let server = try TestServer()
        do {
            let client = server.client()
            client.request("GET", "/park")
            #expect(eventually { server.server.counters.parked == 1 })
            if byReset { client.resetOnClose() }
        }
        #expect(eventually { server.hub.seen.abandonedWaits == 1 })
        #expect(eventually { server.server.counters.connections == 0 })
        #expect(server.server.counters.parked == 0)
        server.hub.wake("too late\n")
    }

    @Test("a handler set after the client has left is called at once")
    func abandonedBefore() throws {
        let server = try TestServer()
        do {
            let client = server.client()
            client.request("GET", "/park")
            #expect(eventually { server.server.counters.parked == 1 })
        }
        #expect(eventually { server.hub.seen.abandonedWaits == 1 })
        let exchange = try #require(server.hub.seen.waiting.first)
        exchange.onAbandon { [hub = server.hub] in hub.note { $0.abandonedWaits += 10 } }
        #expect(server.hub.seen.abandonedWaits == 11)
    }

    @Test("a push answered while it waits reaches a client that has finished sending")
    func halfClosed() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("POST", "/slow-push", body: "x")
        client.finishSending()
        #expect(eventually { server.server.counters.parked == 1 })
        usleep(50_000)
        server.hub.wake("durable\n")
        #expect(try #require(client.answer()).text == "durable\n")
    }

    @Test("many parked exchanges are all answered", arguments: [500, 1_000])
    func many(count: Int) throws {
        let server = try TestServer()
        let clients = (0..<count).map { _ in server.client() }
        for client in clients { client.request("GET", "/park") }
        #expect(eventually { server.server.counters.parked == count })
        server.hub.wake("all\n")
        let answers = clients.map { $0.answer()?.text }
        #expect(answers == Array(repeating: "all\n", count: count))
        #expect(eventually { server.server.counters.parked == 0 })
    }

    @Test("an exchange that is held after its answer keeps neither its loop nor the answer alive")
    func keepsNothing() {
        weak var loop: SilentLoop?
        weak var content: Block?
        let exchange: Exchange
        do {
            let someLoop = SilentLoop()
            let block = Block(count: 1)
            (loop, content) = (someLoop, block)
            exchange = Exchange(loop: someLoop)
            exchange.onAbandon { _ = block.bytes.count }
            exchange.complete { Response(status: 200 + block.bytes.count) }
            guard case .answer(let make) = exchange.takeOutcome() else { return #expect(Bool(false)) }
            #expect(make().status == 201)
        }
        #expect(loop == nil && content == nil)
        guard case .cut = exchange.takeOutcome() else { return #expect(Bool(false)) }
    }

    @Test("completions, deadlines, departures and a drain at once leave nothing behind")
    func races() throws {
        let server = try TestServer { $0.maximumConnections = 4_000 }
        let stirrer = Stirrer(server: server)
        stirrer.run(rounds: 20, clients: 40)
        server.server.drain(within: .seconds(5))
        #expect(server.server.counters.connections == 0 && server.server.counters.parked == 0)
        #expect(stirrer.unanswered == 0)
    }
}

/// A loop that ignores all messages.
private final class SilentLoop: ExchangeLoop {
    let timers = Timers { 0 }
    func post(_ message: EventLoop.Message) {}
}

/// Opens connections whose requests park; three threads complete, expire and abandon them at the same time.
private final class Stirrer {
    private let server: TestServer
    private let isDone = Locked(false)
    private(set) var unanswered = 0

    init(server: TestServer) { self.server = server }

    func run(rounds: Int, clients count: Int) {
        let meddlers = [meddler { $0.wake("woken\n") }, meddler(expireAll)]
        for _ in 0..<rounds {
            var clients = (0..<count).map { _ in server.client() }
            for client in clients { client.request("GET", "/park") }
            clients.shuffle()
            clients.removeLast(count / 3)
            for client in clients where client.answer() == nil { unanswered += 1 }
        }
        isDone.withLock { $0 = true }
        for thread in meddlers { thread?.join() }
    }

    private func meddler(_ body: @escaping @Sendable (Hub) -> Void) -> Threading.Thread? {
        Threading.Thread { [hub = server.hub, isDone] in
            while !isDone.withLock({ $0 }) {
                body(hub)
                usleep(300)
            }
        }
    }

    private let expireAll: @Sendable (Hub) -> Void = { hub in
        for exchange in hub.seen.waiting {
            exchange.onAbandon { hub.note { $0.abandonedWaits += 1 } }
            exchange.expire(after: .microseconds(200)) { .text("expired\n") }
        }
    }
}
