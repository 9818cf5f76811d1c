// Every exchange that the contract shows, run through the API in process: the answer has the same bytes, however the
// body is cut into pieces.

import Testing

@testable import HTTPServing

@Suite("Examples of the contract, in process")
struct ExampleTests {
    /// The headers that belong to the contract in addition to `x-paramd-*`; all others belong to the transport.
    private static let kept: Set<String> = [
        "allow", "cache-control", "content-location", "content-type", "etag", "idempotency-replayed", "location",
        "retry-after",
    ]

    @Test(
        "each is answered as shown, with bodies in one piece, in sevens and byte by byte", arguments: [Int.max, 7, 1])
    func examples(pieces: Int) throws {
        let process = try InProcess()
        var uids: [String: String] = [:]
        for example in try ExampleExchange.all() {
            let uid = uids[example.model] ?? ""
            let answer = try process.send(
                example.method, example.target,
                headers: example.headers.map { ($0.name, $0.value.replacing("{uid}", with: uid)) },
                body: example.body.map {
                    Array(String(decoding: $0, as: UTF8.self).replacing("{uid}", with: uid).utf8)
                },
                pieces: pieces)
            let shown = try #require(answer, "\(example.name): the connection was cut")
            if let match = shown.text.firstMatch(of: /"uid": "([0-9a-f]{8})"/), uids[example.model] == nil {
                uids[example.model] = String(match.1)
            }
            #expect(neutral(shown, uids) == example.answer, "\(example.name)")
        }
    }

    /// The status, the headers of the contract and the body, without parts that differ from run to run.
    private func neutral(_ answer: Answer, _ uids: [String: String]) -> String {
        let headers = answer.headers.map { (name: $0.name.lowercased(), value: $0.value) }
            .filter { Self.kept.contains($0.name) || $0.name.hasPrefix("x-paramd-") }
            .sorted { $0.name < $1.name }
        let lines = ["HTTP/1.1 \(answer.status)"] + headers.map { "\($0.name): \($0.value)" }
        var text = lines.joined(separator: "\n") + "\n\n" + answer.text
        for uid in uids.values { text = text.replacing(uid, with: "{uid}") }
        return text.replacing(/"uid": "[0-9a-f]{8}"/, with: #""uid": "{uid}""#)
    }
}

extension ExampleExchange {
    /// The model named in the target.
    fileprivate var model: String {
        let segments = target.split(separator: "?")[0].split(separator: "/")
        return segments.count > 2 && segments[1] == "models" ? String(segments[2]) : ""
    }
}
