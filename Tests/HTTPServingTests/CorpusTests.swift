// Two collections of raw requests against a running server: this project's own, with the expected statuses of each, and
// llhttp's strict test suite, with its count of messages. No request hangs, none is smuggled, and the server survives.

import Foundation
import Testing

@testable import HTTPServing

@Suite("Corpora")
struct CorpusTests {
    /// The statuses of the answers to each of our own cases, in order; none if the connection closes without an answer.
    ///
    /// The server accepts one case that a stricter parser refuses, because libmicrohttpd does not show what it saw:
    /// `chunk_ext_lf`, a chunk extension that ends in LF alone.
    private static let wanted: [String: [Int]] = [
        "ok_cl": [200], "cl_te": [400], "dup_cl_same": [400], "dup_cl_diff2": [400], "cl_list_diff": [400],
        "cl_minus": [400], "cl_space_in": [400], "cl_empty": [400], "cl_2e64m1": [400], "cl_leading0": [200],
        "te_xchunked": [501], "te_chunked_identity": [501], "te_cow_cl": [501], "te_tab": [200], "te_vtab": [400],
        "sp_before_colon": [400], "obs_fold": [400], "obs_fold_te": [400], "bare_lf": [400], "bare_cr_only": [],
        "nul_in_hname": [400], "pct00_url": [400], "dotdot_url": [400], "no_host": [400], "bad_host": [400],
        "evil_host": [421], "asterisk": [200], "no_version": [400], "http1_9": [505], "http11junk": [400],
        "two_sp": [400], "bad_method": [400], "no_colon_hdr": [400], "bad_hname": [400], "lead_crlf": [200],
        "chunk_ext_lf": [200], "chunk_0x": [400], "chunk_sp": [400], "chunk_overflow": [413], "chunk_nocrlf": [400],
        "chunk_empty": [400], "trailer": [200], "chunk_partial_close": [408], "get_body": [400],
        "expect_unknown": [417], "upgrade_h2c": [200], "tls_hello": [], "big_hdr_64k": [431], "many_qargs": [414],
        "cookie_bomb": [200],
    ]

    @Test("every own case gets its wanted answer, and then the connection closes")
    func ownCases() throws {
        let cases = try JSONDecoder().decode([OwnCase].self, from: Self.data("raw-cases.json"))
        let server = try impatientServer()
        let clients = try cases.map { item in
            let client = server.client()
            client.send(Array(try #require(Data(base64Encoded: item.request))))
            return client
        }
        for (item, client) in zip(cases, clients) {
            #expect(statuses(from: client) == Self.wanted[item.name], "\(item.name)")
            #expect(client.isClosed, "\(item.name) hangs")
            #expect(!client.hasMarkup, "\(item.name): the library's own page")
        }
        #expect(Set(cases.map(\.name)) == Set(Self.wanted.keys))
        #expect(server.hub.seen.requests.allSatisfy { $0.path != ["smuggled"] })
        try expectAlive(server)
    }

    @Test("no case of llhttp is answered with more successes than it holds messages", arguments: [false, true])
    func llhttpCases(addingHost: Bool) throws {
        let cases = try JSONDecoder().decode([LlhttpCase].self, from: Self.data("llhttp-requests/index.json"))
        let server = try impatientServer()
        let clients = try cases.map { item in
            let client = server.client()
            let bytes = Array(try Self.data("llhttp-requests/\(item.file)"))
            client.send(addingHost ? withHost(bytes) : bytes)
            return client
        }
        for (item, client) in zip(cases, clients) {
            let successes = statuses(from: client).filter { $0 < 300 }.count
            let allowed = Self.hidden[item.file] == nil ? item.messages : 1
            #expect(successes <= allowed, "\(item.file): \(item.title)")
            #expect(client.isClosed, "\(item.file) hangs")
            #expect(!client.hasMarkup, "\(item.file): the library's own page")
        }
        try expectAlive(server)
    }

    /// Cases that llhttp refuses and this server accepts, and why the server cannot see the mistake.
    private static let hidden = [
        "transfer-encoding_115.http": "libmicrohttpd skips chunk extensions unread",
        "invalid_058.http": "libmicrohttpd takes LF for CRLF everywhere, chunks included",
    ]

    private func impatientServer() throws -> TestServer {
        try TestServer { configuration in
            configuration.headDeadline = .seconds(2)
            configuration.idleDeadline = .seconds(2)
            configuration.rateWindow = .seconds(2)
        }
    }

    private func statuses(from client: Client) -> [Int] {
        var statuses: [Int] = []
        while let answer = client.answer() {
            #expect(answer["Content-Type"] != "text/html", "the library's own page")
            statuses.append(answer.status)
        }
        return statuses
    }

    private func expectAlive(_ server: TestServer) throws {
        let client = server.client()
        client.request("GET", "/alive")
        #expect(client.answer()?.text == "GET alive\n")
    }

    /// The request with our Host after its first line, so that it is not refused for a missing Host.
    private func withHost(_ bytes: [UInt8]) -> [UInt8] {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return bytes }
        return bytes[...end] + Array("Host: localhost\r\n".utf8) + bytes[(end + 1)...]
    }

    private static func data(_ path: String) throws -> Data {
        let folder = try #require(Bundle.module.url(forResource: "Corpora", withExtension: nil))
        return try Data(contentsOf: folder.appendingPathComponent(path))
    }

    struct OwnCase: Decodable {
        let name: String
        let request: String
        enum CodingKeys: String, CodingKey {
            case name
            case request = "request_b64"
        }
    }

    struct LlhttpCase: Decodable {
        let file: String
        let title: String
        let messages: Int
    }
}
