// The graceful end of a server: it answers waiting requests, closes idle connections and aborts nothing.

import Glibc
import Testing
import Threading

@testable import HTTPServing

@Suite("Drain")
struct DrainTests {
    @Test("parked exchanges are completed by the application when it is told")
    func notified() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/park")
        #expect(eventually { server.server.counters.parked == 1 })
        server.server.drain(within: .seconds(10)) { server.hub.wake("last words\n") }
        let answer = try #require(client.answer())
        #expect(answer.text == "last words\n")
        #expect(answer["Connection"] == "close")
        #expect(client.rest() == [])
    }

    @Test("what the application leaves parked is answered 503 with Retry-After")
    func left() throws {
        let server = try TestServer()
        let clients = (0..<100).map { _ in server.client() }
        for client in clients { client.request("GET", "/park") }
        #expect(eventually { server.server.counters.parked == 100 })
        let start = Clock.now
        // A quarter of the time is left for the answers.
        server.server.drain(within: .seconds(8))
        #expect(Clock.now - start < 80_000_000_000)
        for client in clients {
            let answer = try #require(client.answer())
            #expect(answer.status == 503)
            #expect(answer["Retry-After"] == "1")
            #expect(client.rest() == [])
        }
    }

    @Test("an idle connection is closed and a new one not accepted")
    func idle() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/")
        #expect(client.answer()?.status == 200)
        let start = Clock.now
        server.server.drain(within: .seconds(40))
        #expect(Clock.now - start < 10_000_000_000)
        #expect(client.rest() == [])
        let late = server.client()
        late.request("GET", "/")
        #expect(late.answer() == nil)
    }

    @Test("a body in progress is finished and answered, and then the connection closes")
    func body() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("POST", "/echo", headers: "Content-Length: 6\r\n")
        client.send("abc")
        #expect(eventually { server.server.counters.receivedBytes == 3 })
        server.server.drain(within: .seconds(20)) { client.send("abc") }
        let answer = try #require(client.answer())
        #expect(answer.text == "6 588\n")
        #expect(answer["Connection"] == "close")
    }

    @Test("a large answer in progress is finished")
    func answer() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/segments/40")
        #expect(eventually { server.server.counters.queuedBytes == 40 << 20 })
        let reader = Reader(client)
        let start = Clock.now
        server.server.drain(within: .seconds(40))
        #expect(Clock.now - start < 20_000_000_000)
        #expect(reader.join()?.body.count == 40 << 20)
    }

    @Test("a request on a connection kept open is refused while draining")
    func refusedWhileDraining() throws {
        let server = try TestServer()
        let client = server.client()
        let parked = server.client()
        parked.request("GET", "/park")
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n")
        #expect(eventually { server.server.counters.requests == 2 && server.server.counters.parked == 1 })
        server.server.drain(within: .seconds(8)) { client.send("\r\n") }
        #expect(client.answer()?.status == 503)
        #expect(parked.answer()?.status == 503)
    }

    @Test("stopping at once, twice, or before the start is harmless")
    func stop() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/park")
        #expect(eventually { server.server.counters.parked == 1 })
        server.server.stop()
        server.server.stop()
        #expect(throws: HTTPServerError.alreadyStarted) { try server.server.start() }
        let unused = HTTPServer(
            configuration: HTTPConfiguration(address: .tcp(host: "127.0.0.1", port: 0)),
            application: TestApplication(hub: Hub()))
        unused.stop()
    }

    @Test("a server that cannot listen says why")
    func cannotListen() throws {
        let server = try TestServer()
        let port = UInt16(server.port)
        #expect(throws: HTTPServerError.cannotListen(EADDRINUSE)) {
            try TestServer { $0.address = .tcp(host: "127.0.0.1", port: port) }
        }
        #expect(throws: HTTPServerError.invalidAddress("nowhere")) {
            try TestServer { $0.address = .tcp(host: "nowhere", port: 0) }
        }
    }
}

/// Reads one answer on a separate thread.
private final class Reader: @unchecked Sendable {
    private let answer = Locked<Answer?>(nil)
    private var thread: Threading.Thread?

    init(_ client: Client) {
        let source = Source(client: client)
        let answer = answer
        thread = Threading.Thread {
            let read = source.client.answer()
            answer.withLock { $0 = read }
        }
    }

    func join() -> Answer? {
        thread?.join()
        return answer.withLock { $0 }
    }

    private struct Source: @unchecked Sendable { let client: Client }
}
