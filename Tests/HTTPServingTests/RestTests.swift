// Bodies whose receiver must work before it takes more: the connection rests in the meantime, and no byte is lost.

import Glibc
import Testing

@testable import HTTPServing

@Suite("Rests")
struct RestTests {
    private static let body = [UInt8](repeating: 3, count: 20_500)

    /// Ends all current and future rests, until `isOver` returns true.
    private func goOn(_ server: TestServer, with status: Int, until isOver: () -> Bool) -> Bool {
        eventually {
            for exchange in server.hub.seen.waiting { exchange.complete { .text("stop\n", status: status) } }
            return isOver()
        }
    }

    private func finish(_ server: TestServer, _ client: Client) -> Answer? {
        #expect(goOn(server, with: 100) { client.hasInput })
        #expect(!server.hub.seen.waiting.isEmpty, "the connection never rested")
        return client.answer()
    }

    @Test("a body continues after its rests, and the connection stays open")
    func goesOn() throws {
        let server = try TestServer()
        let client = server.client()
        for _ in 0..<2 {
            client.request("POST", "/rest", headers: "Content-Length: \(Self.body.count)\r\n")
            client.send(Self.body)
            #expect(finish(server, client)?.text == "20500 61500\n")
        }
    }

    @Test("chunks that have arrived during a rest are not lost", arguments: [1, 999, 7000])
    func chunks(size: Int) throws {
        let server = try TestServer()
        let client = server.client()
        client.send("POST /rest HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in stride(from: 0, to: Self.body.count, by: size) {
            let part = Self.body[start..<min(start + size, Self.body.count)]
            client.send(Array("\(String(part.count, radix: 16))\r\n".utf8) + part + Array("\r\n".utf8))
        }
        client.send("0\r\n\r\n")
        #expect(finish(server, client)?.text == "20500 61500\n")
    }

    @Test("others are served while a connection rests")
    func others() throws {
        let server = try TestServer { $0.loopCount = 1 }
        let client = server.client()
        client.request("POST", "/rest", headers: "Content-Length: \(Self.body.count)\r\n")
        client.send(Self.body)
        #expect(eventually { server.server.counters.parked == 1 })
        let other = server.client()
        other.request("GET", "/")
        #expect(other.answer()?.status == 200)
        #expect(finish(server, client)?.status == 200)
    }

    @Test("a refusal that ends a rest ends the request, and the remaining body is skipped")
    func refused() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("POST", "/rest", headers: "Content-Length: \(Self.body.count)\r\n")
        client.send(Array(Self.body.prefix(500)))
        #expect(eventually { server.server.counters.parked == 1 })
        #expect(goOn(server, with: 422) { server.server.counters.parked == 0 })
        client.send(Array(Self.body.dropFirst(500)))
        #expect(client.answer()?.status == 422)
        client.request("GET", "/")
        #expect(client.answer()?.status == 200)
    }

    @Test("a client that has sent all and closed its side gets its answer")
    func halfClosed() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("POST", "/rest", headers: "Content-Length: \(Self.body.count)\r\n")
        client.send(Self.body)
        client.finishSending()
        #expect(finish(server, client)?.text == "20500 61500\n")
    }

    @Test("a client that leaves meanwhile leaves nothing behind")
    func left() throws {
        let server = try TestServer()
        var client: Client? = server.client()
        client?.request("POST", "/rest", headers: "Content-Length: \(Self.body.count)\r\n")
        client?.send(Array(Self.body.prefix(500)))
        #expect(eventually { server.server.counters.parked == 1 })
        client = nil
        #expect(goOn(server, with: 100) { server.server.counters.connections == 0 })
        #expect(server.server.counters.parked == 0)
        #expect(eventually { server.hub.seen.abandonedBodies == 1 })
    }

    @Test("a body that stops arriving after a rest is cut and abandoned")
    func stalled() throws {
        let server = try TestServer { $0.rateWindow = .seconds(1) }
        let client = server.client()
        client.send(
            Array("POST /rest HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(Self.body.count)\r\n\r\n".utf8)
                + Self.body.prefix(500))
        #expect(eventually { server.server.counters.parked == 1 })
        #expect(finish(server, client)?.status == 408)
        #expect(eventually { server.hub.seen.abandonedBodies == 1 })
        #expect(eventually { server.server.counters.connections == 0 })
    }
}
