// Every method with every expectation and every framing: the server gives one answer each, and never serves the bytes
// of a body as a request. Chunked bodies end their connection, because the library hides where it saw their end.

import Testing

@testable import HTTPServing

/// A request whose body would be a valid request, and another request right after it.
private struct Combination: Sendable {
    static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    static let expectations = [
        "", "Expect: 100-continue\r\n", "Expect: 100-Continue\r\n", "Expect: 100-continue\r\nExpect: 100-continue\r\n",
        "Expect:\r\n", "Expect: 200-ok\r\n",
    ]
    static let framings: [Framing] = [.none, .empty, .length, .twice, .negative, .chunked, .both, .gzip, .old]
    static let routes = ["echo", "answer", "refuse"]
    static let body = "DELETE /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    static let all = methods.flatMap { method in
        expectations.flatMap { expectation in
            framings.flatMap { framing in
                routes.map { Combination(method: method, expectation: expectation, framing: framing, route: $0) }
            }
        }
    }

    enum Framing { case none, empty, length, twice, negative, chunked, both, gzip, old }

    let method: String
    let expectation: String
    let framing: Framing
    let route: String

    var name: String { "\(method) /\(route) \(framing) \(expectation.debugDescription)" }

    var bytes: String {
        let version = framing == .old ? "1.0" : "1.1"
        return "\(method) /\(route) HTTP/\(version)\r\nHost: localhost\r\n\(expectation)\(fields)\r\n\(content)"
            + "GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n"
    }

    private var fields: String {
        let length = "Content-Length: \(Self.body.utf8.count)\r\n"
        return switch framing {
        case .none: ""
        case .empty: "Content-Length: 0\r\n"
        case .length, .old: length
        case .twice: length + length
        case .negative: "Content-Length: -1\r\n"
        case .chunked: "Transfer-Encoding: chunked\r\n"
        case .both: "Transfer-Encoding: chunked\r\n" + length
        case .gzip: "Transfer-Encoding: gzip\r\n"
        }
    }

    private var content: String {
        switch framing {
        case .none, .empty: ""
        case .length, .twice, .negative, .gzip, .old: Self.body
        case .chunked, .both: "\(String(Self.body.utf8.count, radix: 16))\r\n\(Self.body)\r\n0\r\n\r\n"
        }
    }

    /// The status that RFC 9110 and RFC 9112 require; if several things are wrong, the status for the framing.
    var status: Int {
        let isMet = !["Expect:\r\n", "Expect: 200-ok\r\n"].contains(expectation)
        let isBodyless = method == "GET" || method == "HEAD"
        switch framing {
        case .twice, .negative, .both: return 400
        case .gzip: return 501
        case .none, .empty, .length, .chunked, .old: break
        }
        if !isMet { return 417 }
        if isBodyless, framing != .none, framing != .empty { return 400 }
        if route == "refuse" { return 403 }
        return route == "echo" && framing == .none ? 411 : 200
    }

    /// Whether the connection must be kept: the server has read a body of known length to its end.
    var isKept: Bool { status == 200 && (framing == .length || framing == .empty || framing == .none) }
}

@Suite("Framing")
struct FramingTests {
    @Test("1,134 combinations of method, expectation and framing get one answer each")
    func combinations() throws {
        #expect(Combination.all.count == 1_134)
        let server = try TestServer()
        for start in stride(from: 0, to: Combination.all.count, by: 126) {
            let combinations = Combination.all[start..<start + 126]
            let clients = combinations.map { combination in
                let client = server.client()
                client.send(combination.bytes)
                return client
            }
            for (combination, client) in zip(combinations, clients) { check(combination, client) }
        }
        #expect(server.hub.seen.requests.allSatisfy { $0.path != ["smuggled"] })
    }

    private func check(_ combination: Combination, _ client: Client) {
        let first = finalAnswer(to: combination, client)
        #expect(first?.status == combination.status, "\(combination.name)")
        let second = client.answer()
        let isClosing = first?["Connection"] == "close"
        #expect(second?.text == (isClosing ? nil : "GET second\n"), "\(combination.name)")
        if combination.isKept { #expect(!isClosing, "\(combination.name)") }
        if combination.framing == .chunked { #expect(isClosing, "\(combination.name)") }
        client.finishSending()
        #expect(client.answer() == nil && client.isClosed, "\(combination.name)")
    }

    /// The first final answer, after at most one `100 Continue`.
    private func finalAnswer(to combination: Combination, _ client: Client) -> Answer? {
        let answer = client.answer(toHead: combination.method == "HEAD")
        return answer?.status == 100 ? client.answer(toHead: combination.method == "HEAD") : answer
    }

    private static let chunkedHead = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    private static let second = "DELETE /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

    @Test(
        "a chunked request is the last one of its connection, however its lines end",
        arguments: [
            "3\r\nabc\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabc\n0\n\n", "3;a=b\r\nabc\r\n0\r\n\r\n",
            "3\r\nabc\r\n0\r\nX: y\r\n\r\n", "3\r\nabc\r\n0\r\nX: y\n\n", "03\r\nabc\r\n000\r\n\r\n",
        ])
    func chunked(content: String) throws {
        let server = try TestServer()
        let client = server.client()
        client.send(Self.chunkedHead + content + Self.second)
        let answer = client.answer()
        #expect(answer?.text == "3 294\n" && answer?["Connection"] == "close")
        #expect(client.answer() == nil && client.isClosed)
        #expect(server.hub.seen.requests.allSatisfy { $0.path != ["smuggled"] })
    }

    @Test(
        "a chunk that announces more than can be counted is refused at once",
        arguments: [
            "ffffffffffffffff", "FFFFFFFFFFFFFFFF", "fffffffffffffffe", "10000000000000000", "1000000000000000",
        ],
        ["echo", "unlimited", "answer"])
    func uncountable(size: String, route: String) throws {
        let server = try TestServer()
        for prefix in ["", "3\r\nabc\r\n"] {
            let client = server.client()
            client.send(
                "POST /\(route) HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "\(prefix)\(size)\r\nabc\r\n0\r\n\r\n" + Self.second)
            #expect(client.answer()?.status == 413, "\(prefix)\(size)")
            #expect(client.answer() == nil && client.isClosed, "\(prefix)\(size)")
        }
        #expect(server.hub.seen.requests.allSatisfy { $0.path != ["smuggled"] })
        #expect(server.hub.seen.finished == 0)
    }
}
