// Heads that end earlier than they seem to: the server never serves data that the library takes for a second request.

import Testing

@testable import HTTPServing

@Suite("Request splitting")
struct SplittingTests {
    private static let second = "DELETE /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    private static let first = "GET /one HTTP/1.1\r\nHost: localhost\r\n"

    @Test(
        "a head with such a line is 400, and what follows it is dropped",
        arguments: [
            first + ": x\r\n" + second,
            first + ":\r\n" + second,
            first + "\0: x\r\n" + second,
            first + "\0\r\n" + second,
            first + "\0X: y\r\n" + second,
            first + "\0Content-Length: 5\r\n\r\n" + second,
            first + "X\0: y\r\n\r\n" + second,
            first + "X: y\rz\r\n\r\n" + second,
            first + "X: y\r\n\tz\r\n\r\n" + second,
            first + "X: y\n\r\n" + second,
            first + "X: y\r\n\n" + second,
            first + "X: y\r\r\n" + second,
            "GET /one HTTP/1.1\r\n: x\r\nHost: localhost\r\n\r\n" + second,
            "GET /one HTTP/1.1\nHost: localhost\n\n" + second,
            "GET /one HTTP/1.1\r\nHost: localhost\0.evil\r\n\r\n" + second,
            "GET /one HTTP/1.1\r\nHost: localhost\0\r\n\r\n" + second,
            "GET /one HTTP/1.1\r\nX: y\r\n z\r\nHost: localhost\r\n\r\n" + second,
            "GET /one HTTP/1.1\r\nX: y\0z\r\nHost: localhost\r\n\r\n" + second,
            "GET /one HTTP/1.0\r\n: x\r\n" + second,
            "GET /one HTTP/1.0\r\n\0\r\n" + second,
        ])
    func split(bytes: String) throws {
        let server = try TestServer()
        let client = server.client()
        client.send(bytes)
        #expect(client.answer()?.status == 400)
        #expect(client.answer() == nil && client.isClosed)
        #expect(server.hub.seen.requests.allSatisfy { $0.path != ["smuggled"] })
    }

    @Test("an honest head passes at any length and in any pieces", arguments: [0, 1, 100, 4000, 12_000])
    func honest(padding: Int) throws {
        let server = try TestServer()
        let client = server.client()
        let values = [String(repeating: "a", count: padding), "", " b ", "c\td"]
        let lines = values.enumerated().map { "X-\($0.offset):\($0.element)\r\n" }.joined()
        let head = "GET /one HTTP/1.1\r\nHost: localhost\r\n\(lines)\r\n"
        for _ in 0..<2 {
            let cut = head.utf8.count / 2
            client.send(String(head.prefix(cut)))
            client.send(String(head.dropFirst(cut)) + "GET /one HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(client.answer()?.status == 200)
            #expect(client.answer()?.status == 200)
        }
    }
}
