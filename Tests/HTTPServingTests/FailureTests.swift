// Input that the library cannot parse: the server answers as with every other refusal, never with the library's page.

import Testing

@testable import HTTPServing

@Suite("Unreadable requests")
struct FailureTests {
    private static let cases: [(String, Int)] = [
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET / HTTP/1.9\r\nHost: localhost\r\n\r\n", 505),
        ("GET /\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413),
        ("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        ("GET /\(String(repeating: "a", count: 70_000)) HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "a", count: 70_000))\r\n\r\n", 431),
    ]

    @Test("each gets one answer in the server's own form, and the connection closes", arguments: cases.indices)
    func first(index: Int) throws {
        let (request, status) = Self.cases[index]
        let server = try TestServer()
        let client = server.client()
        client.send(request)
        try expectRefusal(status, on: client)
        #expect(server.hub.seen.finished == 0)
        #expect(eventually { server.server.counters.connections == 0 })
    }

    @Test("also behind a request on the same connection", arguments: cases.indices)
    func second(index: Int) throws {
        let (request, status) = Self.cases[index]
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/first")
        #expect(client.answer()?.text == "GET first\n")
        client.send(request)
        try expectRefusal(status, on: client)
    }

    @Test("two garbled lines get no page")
    func garbage() throws {
        let server = try TestServer()
        for line in ["\u{16}\u{3}\u{1}\r\n\r\n", "GET\r\n\r\n", "{}\r\n\r\n", " \r\n\r\n"] {
            let client = server.client()
            client.send(line)
            client.finishSending()
            while let answer = client.answer() { #expect(answer["Content-Type"]?.hasPrefix("text/plain") == true) }
            #expect(client.isClosed && !client.hasMarkup, "\(line)")
        }
    }

    private func expectRefusal(_ status: Int, on client: Client) throws {
        let answer = try #require(client.answer())
        #expect(answer.status == status)
        #expect(answer["Content-Type"]?.hasPrefix("text/plain") == true)
        #expect(answer["Connection"] == "close")
        #expect(client.rest() == [])
        #expect(!client.hasMarkup)
    }
}
