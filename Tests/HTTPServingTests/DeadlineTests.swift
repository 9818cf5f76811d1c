// Slow peers: each deadline of the reaper, with short times. They are long enough that a test which other tests delay
// does not count as the slow peer.

import Glibc
import Testing

@testable import HTTPServing

@Suite("Deadlines")
struct DeadlineTests {
    private func server(_ adjust: (inout HTTPConfiguration) -> Void = { _ in }) throws -> TestServer {
        try TestServer { configuration in
            configuration.headDeadline = .seconds(1)
            configuration.idleDeadline = .seconds(1)
            configuration.rateWindow = .seconds(1)
            adjust(&configuration)
        }
    }

    /// Sends `text` repeatedly, one piece every 20 ms, until the server closes, for at most 20 seconds.
    private func trickle(_ text: String, over client: Client) -> Bool {
        for _ in 0..<1000 {
            guard client.send(text) else { return true }
            usleep(20_000)
        }
        return false
    }

    @Test("a first line that trickles is cut")
    func firstLine() throws {
        let server = try server()
        #expect(trickle("G", over: server.client()))
    }

    @Test("headers that trickle are answered 408 and cut")
    func headers() throws {
        let server = try server()
        let client = server.client()
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n")
        #expect(trickle("X: y\r\n", over: client))
        let other = server.client()
        other.send("GET / HTTP/1.1\r\nHost: localhost\r\n")
        #expect(other.answer()?.status == 408)
        #expect(other.rest() == [])
    }

    @Test("a body that trickles is cut and abandoned")
    func body() throws {
        let server = try server()
        let client = server.client()
        client.request("POST", "/echo", headers: "Content-Length: 1000000\r\n")
        #expect(trickle("x", over: client))
        #expect(eventually { server.hub.seen.abandonedBodies == 1 })
        #expect(eventually { server.server.counters.connections == 0 })
    }

    @Test("a body that starts fast and then stops is cut")
    func stalledBody() throws {
        let server = try server()
        let client = server.client()
        client.request("POST", "/echo", headers: "Content-Length: 1000000\r\n")
        client.send([UInt8](repeating: 97, count: 900_000))
        #expect(client.answer()?.status == 408)
        #expect(eventually { server.hub.seen.abandonedBodies == 1 })
    }

    @Test("the least rate by default is one that the slowest link has, over a time that bridges gaps")
    func defaults() {
        let configuration = HTTPConfiguration(address: .tcp(host: "127.0.0.1", port: 0))
        #expect(configuration.minimumRate == 240 && configuration.rateWindow == .seconds(30))
    }

    @Test("a body at the lowest rate may take as long as it needs")
    func slowBody() throws {
        let server = try server {
            $0.minimumRate = 240
            $0.rateWindow = .seconds(1)
        }
        let client = server.client()
        client.request("POST", "/echo", headers: "Content-Length: 30000\r\n")
        // Forty times the minimum rate, for three windows.
        for _ in 0..<30 {
            client.send(String(repeating: "a", count: 1_000))
            usleep(100_000)
        }
        #expect(client.answer()?.text == "30000 2910000\n")
    }

    @Test("a client that does not take its answer is cut")
    func reader() throws {
        let server = try server()
        let client = server.client()
        client.request("GET", "/segments/64")
        #expect(eventually { server.server.counters.accepted == 1 })
        #expect(eventually { server.server.counters.connections == 0 })
    }

    @Test("a kept connection without a request is closed")
    func idle() throws {
        let server = try server()
        let client = server.client()
        client.request("GET", "/")
        #expect(client.answer()?.status == 200)
        #expect(client.rest() == [])
    }

    @Test("a parked exchange has no deadline but its own")
    func parked() throws {
        let server = try server()
        let client = server.client()
        client.request("GET", "/park")
        #expect(eventually { server.server.counters.parked == 1 })
        usleep(3_000_000)
        #expect(server.server.counters.parked == 1)
        server.hub.wake("awake\n")
        #expect(client.answer()?.text == "awake\n")
    }

    @Test("after an early answer, further bytes are received for a limited time")
    func lingering() throws {
        let server = try server {
            $0.lingerDeadline = .seconds(1)
            $0.rateWindow = .seconds(60)
        }
        let client = server.client()
        client.request("POST", "/early", headers: "Content-Length: 1000000000\r\n")
        #expect(trickle("x", over: client))
    }
}
