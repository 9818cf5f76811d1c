// Clients that finish sending and close their side: the server answers them and then closes their connections.

import Glibc
import Testing

@testable import HTTPServing

@Suite("Half-closed connections")
struct HalfCloseTests {
    private static let get = "GET /one HTTP/1.1\r\nHost: localhost\r\n\r\n"
    private static let post = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab"
    private static let chunked =
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    private static let cases: [(request: String, answers: [String])] = [
        (get, ["GET one\n"]),
        (chunked, ["2 195\n"]),
        (get + post + get, ["GET one\n", "2 195\n", "GET one\n"]),
        (get + chunked, ["GET one\n", "2 195\n"]),
        (get + "GET /tw", ["GET one\n"]),
    ]

    @Test("what was sent is answered, and then the connection ends", arguments: cases.indices, [false, true])
    func answered(index: Int, atOnce: Bool) throws {
        // Far longer than the client's patience, so that nothing except the end of the client can close the connection.
        let server = try TestServer { $0.idleDeadline = .seconds(1_000) }
        let client = server.client()
        client.send(Self.cases[index].request)
        if !atOnce { #expect(eventually { server.server.counters.requests > 0 }) }
        client.finishSending()
        for text in Self.cases[index].answers { #expect(client.answer()?.text == text) }
        #expect(client.rest() == [])
        #expect(eventually { server.server.counters.connections == 0 })
    }

    @Test("a body sent with its end is read to that end", arguments: [1, 70_000, 1 << 20])
    func body(size: Int) throws {
        let server = try TestServer { $0.idleDeadline = .seconds(1_000) }
        let client = server.client()
        client.request("POST", "/echo", body: String(repeating: "a", count: size))
        client.finishSending()
        #expect(client.answer()?.text == "\(size) \(size * 97)\n")
        #expect(client.rest() == [])
    }

    @Test("a large answer is sent whole")
    func largeAnswer() throws {
        let server = try TestServer { $0.idleDeadline = .seconds(1_000) }
        let client = server.client()
        client.request("GET", "/segments/20")
        client.finishSending()
        #expect(client.answer()?.body.count == 20 << 20)
        #expect(client.rest() == [])
    }

    @Test(
        "a head or a body that can never be complete is dropped", arguments: ["GET / HTTP/1.1\r\nHost: lo", "GE", ""])
    func incomplete(head: String) throws {
        let server = try TestServer {
            $0.headDeadline = .seconds(1_000)
            $0.rateWindow = .seconds(1_000)
        }
        let client = server.client()
        client.send(head)
        client.finishSending()
        #expect(client.rest() == [])
        let other = server.client()
        other.request("POST", "/echo", headers: "Content-Length: 9\r\n")
        other.send("ab")
        other.finishSending()
        #expect(other.rest() == [])
        #expect(eventually { server.hub.seen.abandonedBodies == 1 })
    }

    /// The library first checks the connection that has been quiet for longest.
    @Test("a waiting exchange is completed as if the client were still sending", arguments: [0, 1, 8])
    func woken(others: Int) throws {
        let server = try TestServer {
            $0.idleDeadline = .seconds(1_000)
            $0.halfClosedPatience = .seconds(1_000)
        }
        let idle = (0..<others).map { _ in server.client() }
        for client in idle {
            client.request("GET", "/one")
            #expect(client.answer()?.status == 200)
        }
        let client = server.client()
        client.request("GET", "/wait")
        client.finishSending()
        #expect(eventually { server.server.counters.parked == 1 })
        usleep(50_000)
        server.hub.wake("awake\n")
        #expect(client.answer()?.text == "awake\n")
        #expect(client.rest() == [])
        #expect(server.hub.seen.abandonedWaits == 0)
    }

    @Test("a waiting exchange is answered as at its deadline, soon after", arguments: [false, true])
    func hurried(parkedBefore: Bool) throws {
        let server = try TestServer { $0.halfClosedPatience = .milliseconds(50) }
        let client = server.client()
        client.request("GET", "/wait")
        if parkedBefore { #expect(eventually { server.server.counters.parked == 1 }) }
        client.finishSending()
        let answer = try #require(client.answer())
        #expect(answer.status == 202 && answer.text == "time is up\n")
        #expect(client.rest() == [])
    }

    @Test("a waiting client that resets its connection is given up at once")
    func reset() throws {
        let server = try TestServer { $0.halfClosedPatience = .seconds(1_000) }
        do {
            let client = server.client()
            client.request("GET", "/wait")
            #expect(eventually { server.server.counters.parked == 1 })
            client.resetOnClose()
        }
        #expect(eventually { server.hub.seen.abandonedWaits == 1 && server.server.counters.connections == 0 })
    }
}
