// More work than a loop can do at once: each turn does a part, and clients that are being served continue to be served.

import Glibc
import Testing
import Threading

@testable import HTTPServing

@Suite("Floods")
struct FloodTests {
    @Test("of many connections that come at once a loop takes a few, then serves the others again")
    func newcomers() throws {
        let server = try TestServer {
            $0.loopCount = 1
            $0.connectionsPerTurn = 2
        }
        let kept = server.client()
        kept.request("GET", "/kept")
        #expect(kept.answer()?.status == 200)
        // While the loop is busy with one request, sixty connections arrive, each with a request that takes as long.
        kept.request("GET", "/busy/400")
        let others = (0..<60).map { _ in
            let client = server.client()
            client.request("GET", "/busy/10")
            return client
        }
        #expect(kept.answer()?.status == 200)
        kept.request("GET", "/kept")
        #expect(kept.answer()?.status == 200)
        let order = server.hub.seen.requests.map { $0.path.first }
        #expect(order.lastIndex(of: "kept") ?? 60 < 40)
        for client in others { #expect(client.answer()?.status == 200) }
    }

    @Test("an answer does not wait behind the wake-ups that came before it")
    func wakeUps() throws {
        let server = try TestServer {
            $0.loopCount = 1
            $0.connectionsPerTurn = 2
        }
        let (held, kept) = (server.client(), server.client())
        held.request("GET", "/hold")
        #expect(eventually { server.hub.seen.waiting.count == 1 })
        let waiting = (0..<60).map { _ in
            let client = server.client()
            client.request("GET", "/park")
            return client
        }
        #expect(eventually { server.hub.seen.waiting.count == 61 })
        kept.request("GET", "/busy/500")
        #expect(eventually { server.hub.seen.requests.count == 62 })
        let order = Locked([String]())
        // The loop is busy, so it finds all of these at once: the wake-ups first.
        for (index, exchange) in server.hub.seen.waiting.enumerated().reversed() {
            let text = index == 0 ? "held" : "woken"
            exchange.complete {
                order.withLock { $0.append(text) }
                return .text(text)
            }
        }
        #expect(held.answer()?.text == "held")
        for client in waiting { #expect(client.answer()?.text == "woken") }
        #expect(order.withLock { $0.firstIndex(of: "held") ?? 60 } < 10)
    }

    @Test("a parked request that has its outcome does not wait behind connections that came before that")
    func outcomes() throws {
        let server = try TestServer {
            $0.loopCount = 1
            $0.connectionsPerTurn = 2
        }
        let (parked, kept) = (server.client(), server.client())
        parked.request("GET", "/park")
        #expect(eventually { !server.hub.seen.waiting.isEmpty })
        kept.request("GET", "/busy/1000")
        #expect(eventually { server.hub.seen.requests.count == 2 })
        let others = (0..<60).map { _ in
            let client = server.client()
            client.request("GET", "/busy/1")
            return client
        }
        // Wait until the acceptor has passed them to the loop, which is busy.
        usleep(300_000)
        let before = Locked(0)
        server.hub.seen.waiting.first?.complete { [hub = server.hub] in
            before.withLock { $0 = hub.seen.requests.count }
            return .text("settled\n")
        }
        #expect(parked.answer()?.text == "settled\n")
        #expect(before.withLock { $0 } < 20)
        for client in others { #expect(client.answer()?.status == 200) }
        #expect(kept.answer()?.status == 200)
    }

    @Test("of the connections whose rest is still read the oldest makes room")
    func lingering() throws {
        let server = try TestServer {
            $0.loopCount = 1
            $0.maximumLingering = 2
            $0.lingerDeadline = .seconds(1_000)
        }
        let clients = (0..<5).map { _ in
            let client = server.client()
            client.request("POST", "/refuse", headers: "Content-Length: 1000000\r\n")
            #expect(client.answer()?.status == 403)
            return client
        }
        #expect(eventually { server.server.counters.connections == 2 })
        #expect(clients[0].rest() == [] && clients[2].rest() == [])
        #expect(clients[4].send([UInt8](repeating: 97, count: 999_999)))
        #expect(server.client().answered("GET", "/next") == 200)
    }

    @Test("clients that come and go in that state are not counted forever")
    func passing() throws {
        let server = try TestServer {
            $0.loopCount = 1
            $0.maximumLingering = 2
            $0.lingerDeadline = .seconds(1_000)
        }
        let first = server.client()
        first.request("POST", "/refuse", headers: "Content-Length: 1000000\r\n")
        #expect(first.answer()?.status == 403)
        for _ in 0..<5 {
            let passing = server.client()
            passing.request("POST", "/refuse", headers: "Content-Length: 1000000\r\n")
            #expect(passing.answer()?.status == 403)
            passing.resetOnClose()
            withExtendedLifetime(passing) {}
            #expect(eventually { server.server.counters.connections <= 2 })
        }
        #expect(eventually { server.server.counters.connections == 1 })
        #expect(first.send("x"))
    }

    @Test("the answer to what cannot be read is made once, and sent to all")
    func malformed() throws {
        let made = Locked(0)
        let server = try TestServer {
            $0.render = { refusal in
                made.withLock { $0 += 1 }
                return refusal.plainResponse
            }
        }
        for request in ["GET / HTTP/1.1\r\nbroken\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"] {
            for _ in 0..<20 {
                let client = server.client()
                client.send(request)
                #expect(client.answer()?.status == 400)
            }
        }
        // The server makes one more refusal when it starts, for connections that find no room.
        #expect(made.withLock { $0 } <= 3)
    }

    @Test("a head of more lines than are read is refused, and what follows it is no request")
    func bombs() throws {
        let server = try TestServer { $0.maximumHeaderBytes = 1_000 }
        let lines = (0..<60).map { "X-\($0): aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" }.joined()
        for method in ["GET", "POST"] {
            let client = server.client()
            let body = method == "POST" ? "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n" : nil
            client.request(method, "/echo", headers: lines, body: body)
            #expect(client.answer()?.status == 431)
            client.finishSending()
            #expect(client.rest() == [])
        }
        #expect(server.hub.seen.requests.isEmpty)
    }

    @Test("many heads that take too long are all answered, a few in a turn")
    func slowHeads() throws {
        let server = try TestServer {
            $0.connectionsPerTurn = 3
            $0.headDeadline = .milliseconds(200)
        }
        let clients = (0..<40).map { _ in server.client() }
        for client in clients { client.send("GET / HTTP/1.1\r\n") }
        for client in clients { #expect(client.answer()?.status == 408) }
        #expect(eventually { server.server.counters.connections == 0 })
    }

    @Test("a parked request that may change something is not told that nothing was applied when the server stops")
    func cutOff() throws {
        let server = try TestServer()
        let (reader, writer) = (server.client(), server.client())
        reader.request("GET", "/park")
        writer.request("POST", "/park", headers: "Content-Length: 0\r\n")
        #expect(eventually { server.hub.seen.waiting.count == 2 })
        server.server.stop()
        #expect(reader.answer()?.text.contains("try again") == true)
        #expect(writer.answer()?.text.contains("may or may not have been applied") == true)
    }

    @Test("a queue gives back what it got, in order")
    func fifo() {
        var queue = Fifo<Int>()
        var (next, expected) = (0, 0)
        for round in 0..<200 {
            for _ in 0..<(round % 40) {
                queue.append(next)
                next += 1
            }
            for _ in 0..<(round % 37) where !queue.isEmpty {
                #expect(queue.popFirst() == expected)
                expected += 1
            }
            #expect(queue.count == next - expected)
        }
        while let element = queue.popFirst() {
            #expect(element == expected)
            expected += 1
        }
        #expect(expected == next && queue.isEmpty)
    }
}

extension Client {
    /// Sends a request and returns the status of its answer.
    fileprivate func answered(_ method: String, _ target: String) -> Int? {
        request(method, target)
        return answer()?.status
    }
}
