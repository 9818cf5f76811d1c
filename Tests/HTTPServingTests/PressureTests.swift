// Room for new connections: when connections or memory run out, the server cuts the slowest body first, and only if
// that body is slow.

import Glibc
import Testing

@testable import HTTPServing

@Suite("Pressure")
struct PressureTests {
    private func server(_ adjust: (inout HTTPConfiguration) -> Void = { _ in }) throws -> TestServer {
        try TestServer { configuration in
            configuration.maximumConnections = 3
            configuration.pressureGrace = .milliseconds(20)
            configuration.headDeadline = .milliseconds(400)
            adjust(&configuration)
        }
    }

    /// A client in the middle of a body, of which this many bytes have arrived.
    private func sender(of count: Int, to server: TestServer, as target: String = "/unlimited") -> Client {
        let client = server.client()
        let before = server.server.counters.receivedBytes
        client.request("POST", target, headers: "Content-Length: 1000000000\r\n")
        client.send([UInt8](repeating: 97, count: count))
        #expect(eventually { server.server.counters.receivedBytes == before + count })
        return client
    }

    @Test("the slowest of the slow bodies makes room for a connection, in one loop and among several", arguments: 1...3)
    func connection(loops: Int) throws {
        let server = try server {
            $0.pressureRate = 1 << 40
            $0.loopCount = loops
        }
        let quick = sender(of: 3 << 20, to: server)
        let slow = sender(of: 10, to: server)
        let middle = sender(of: 1 << 20, to: server)
        // The loops report their slowest bodies when they check them, a few times per second.
        usleep(1_000_000)
        let newcomer = server.client()
        newcomer.request("GET", "/new")
        #expect(newcomer.answer()?.text == "GET new\n")
        let answer = try #require(slow.answer())
        #expect(answer.status == 408 && answer.text.contains("ran short of room"))
        #expect(eventually { server.hub.seen.abandonedBodies == 1 })
        #expect(quick.send("x") && middle.send("x"))
        #expect(eventually { server.server.counters.connections == 3 })
    }

    @Test("a body that is quick enough, or has only begun, is left alone", arguments: [false, true])
    func spared(isYoung: Bool) throws {
        let server = try server {
            $0.pressureRate = isYoung ? 1 << 40 : 1
            $0.pressureGrace = isYoung ? .seconds(1_000) : .milliseconds(20)
        }
        let senders = (0..<3).map { _ in sender(of: 1_000, to: server) }
        usleep(1_000_000)
        #expect(server.client().answer()?.status == 503)
        #expect(server.hub.seen.abandonedBodies == 0)
        withExtendedLifetime(senders) {}
    }

    @Test("an answer that reports a lack of memory makes the slowest body release its own", arguments: 1...3)
    func memory(loops: Int) throws {
        let server = try server {
            $0.pressureRate = 1 << 40
            $0.loopCount = loops
        }
        let slow = sender(of: 10, to: server)
        let quick = sender(of: 1 << 20, to: server)
        usleep(1_000_000)
        let newcomer = server.client()
        newcomer.request("GET", "/room")
        #expect(newcomer.answer()?.status == 503)
        #expect(slow.answer()?.status == 408)
        #expect(eventually { server.hub.seen.abandonedBodies == 1 })
        #expect(quick.send("x"))
    }

    @Test("where one payer's bodies have to make room, those of others stay, the slower ones too", arguments: 1...3)
    func payer(loops: Int) throws {
        let server = try server {
            $0.maximumConnections = 8
            $0.pressureRate = 1 << 40
            $0.loopCount = loops
        }
        let others = (0..<3).map { _ in sender(of: 10, to: server, as: "/paid/b") }
        let quick = sender(of: 1 << 20, to: server, as: "/paid/a/b")
        usleep(1_000_000)
        let newcomer = server.client()
        newcomer.request("GET", "/room/a")
        #expect(newcomer.answer()?.status == 503)
        #expect(quick.answer()?.status == 408)
        #expect(eventually { server.hub.seen.abandonedBodies == 1 })
        for other in others { #expect(other.send("x")) }
        // A loop updates its count at the end of a turn, which may be after the answer.
        #expect(eventually { server.server.counters.connections == 4 })
    }
}
