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
        client.request("POST", target, headers: "Content-Length: 1000000000\r\n")
        send(count, over: client, to: server)
        return client
    }

    /// Sends this many bytes of a body, and waits until they have arrived.
    private func send(_ count: Int, over client: Client, to server: TestServer) {
        let before = server.server.counters.receivedBytes
        client.send([UInt8](repeating: 97, count: count))
        #expect(eventually { server.server.counters.receivedBytes == before + count })
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

    /// A client whose body rests from its first 500 bytes on.
    private func restingSender(to server: TestServer) -> Client {
        let client = server.client()
        // In one piece, so that the body starts to rest in the turn in which it begins.
        client.send(
            Array("POST /rest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n".utf8)
                + [UInt8](repeating: 97, count: 500))
        #expect(eventually { server.server.counters.parked == 1 })
        return client
    }

    private func endRest(in server: TestServer) {
        let isOver = eventually {
            for exchange in server.hub.seen.waiting { exchange.complete { .text("continue\n", status: 100) } }
            return server.server.counters.parked == 0
        }
        #expect(isOver)
    }

    /// Requests memory until one of these bodies is cut.
    ///
    /// The loop handles the message of such an answer before the next request, so not more than one is cut.
    private func cutOne(of clients: [Client], by server: TestServer) {
        let newcomer = server.client()
        let isCut = eventually {
            newcomer.request("GET", "/room")
            guard newcomer.answer()?.status == 503 else { return false }
            newcomer.request("GET", "/")
            return newcomer.answer()?.status == 200 && clients.contains(where: \.hasInput)
        }
        #expect(isCut)
    }

    @Test("the time in which a body rests does not make it slow", arguments: [1, 3])
    func rests(count: Int) throws {
        let server = try server {
            $0.pressureRate = 1 << 40
            $0.loopCount = 1
        }
        let resting = restingSender(to: server)
        // It starts later and sends one byte more: if rests counted, the other would be slower on any machine, and
        // without them it is quicker, unless it takes hundreds of times as long as its rests.
        let steady = sender(of: 502 + (count - 1) * 1_000, to: server)
        for rest in 1...count {
            usleep(200_000)
            endRest(in: server)
            guard rest < count else { continue }
            resting.send([UInt8](repeating: 97, count: 1_000))
            #expect(eventually { server.server.counters.parked == 1 })
        }
        send(1, over: resting, to: server)
        cutOne(of: [resting, steady], by: server)
        #expect(steady.hasInput && !resting.hasInput)
        #expect(steady.answer()?.text.contains("ran short of room") == true)
    }

    @Test("the time in which a body waits for a busy server does not make it slow")
    func busy() throws {
        let server = try server {
            $0.maximumConnections = 4
            $0.pressureRate = 1 << 40
            $0.loopCount = 1
        }
        let waiting = sender(of: 1, to: server)
        let steady = sender(of: 60_002, to: server)
        let work = server.client()
        work.request("GET", "/busy/2000")
        #expect(eventually { server.hub.seen.requests.last?.path.first == "busy" })
        send(60_000, over: waiting, to: server)
        #expect(work.answer()?.status == 200)
        cutOne(of: [waiting, steady], by: server)
        #expect(steady.hasInput && !waiting.hasInput)
        #expect(steady.answer()?.text.contains("ran short of room") == true)
    }

    @Test("the time between the rests of a body counts")
    func pauses() throws {
        let server = try server {
            $0.pressureRate = 1 << 40
            $0.loopCount = 1
        }
        let resting = restingSender(to: server)
        endRest(in: server)
        let steady = sender(of: 15_010, to: server)
        usleep(500_000)
        resting.send([UInt8](repeating: 97, count: 1_000))
        #expect(eventually { server.server.counters.parked == 1 })
        endRest(in: server)
        send(1, over: resting, to: server)
        cutOne(of: [resting, steady], by: server)
        #expect(resting.hasInput && !steady.hasInput)
        #expect(resting.answer()?.text.contains("ran short of room") == true)
    }
}
