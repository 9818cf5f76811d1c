// Requests and their answers over the wire: plain, with bodies, parked and woken.

import Testing

@testable import HTTPServing

@Suite("Exchanges")
struct ExchangeTests {
    @Test("a GET is answered and its connection kept")
    func get() throws {
        let server = try TestServer()
        let client = server.client()
        for number in 0..<3 {
            client.request("GET", "/hello/\(number)")
            let answer = try #require(client.answer())
            #expect(answer.status == 200)
            #expect(answer.text == "GET hello|\(number)\n")
            #expect(answer["Connection"] == nil)
        }
    }

    @Test("a body reaches its receiver whole and the connection is kept")
    func post() throws {
        let server = try TestServer()
        let client = server.client()
        for size in [0, 1, 70_000, 1 << 20] {
            client.request("POST", "/echo", body: String(repeating: "a", count: size))
            #expect(try #require(client.answer()).text == "\(size) \(size * 97)\n")
        }
        #expect(server.hub.seen.finished == 4)
    }

    @Test("a parked exchange is answered from another thread")
    func parked() throws {
        let server = try TestServer()
        let client = server.client()
        for _ in 0..<2 {
            client.request("GET", "/park")
            #expect(eventually { server.hub.seen.waiting.count == 1 })
            server.hub.wake("awake\n")
            #expect(try #require(client.answer()).text == "awake\n")
        }
    }
}
