// Every route with requests that make no sense there: each refusal is a problem that says what to change, and nothing
// changes.

import Testing

@testable import HTTPServing
@testable import ParameterAPI

@Suite("Refusals, in process")
struct RefusalTests {
    private static let definition = #"{"optimizer":"adam","parameters":{"w":[1,2],"v":{"shape":[2,2],"init":"zeros"}}}"#

    /// Bodies that no route takes.
    private static let bodies = [
        "{", "[]", "null", "\"text\"", "{}{}", #"{"nothing":1}"#, #"{"gradients":{"w":[1]}}"#, "\u{FEFF}{}",
        #"{"gradients":{"w":[1,2,3]},"parameters":{"w":"x"},"optimizer":3}"#, "\0\0\0\0\0\0\0\0", "w=1&v=2",
    ]

    /// Targets of a route: its template with existing and with missing things.
    private static func targets(_ route: Route) -> [String] {
        let there = [
            "m": "m", "p": "w", "g": "default", "v": "1", "w": "worker", "seq": "1", "id": "1", "slug": "gone",
        ]
        return [there, there.mapValues { _ in "absent" }].map { values in
            let segments = route.path.split(separator: "/").map { segment in
                segment.hasPrefix("{") ? values[String(segment.dropFirst().dropLast())] ?? "x" : String(segment)
            }
            return "/" + segments.joined(separator: "/")
        }
    }

    @Test("no route under v1 takes an argument that it does not know")
    func unknownArguments() throws {
        let process = try Self.withModel()
        for route in Route.all where route.path.hasPrefix("/v1/") {
            let target = Self.targets(route)[0] + "?unheard_of=1"
            let body = [.get, .delete].contains(route.method) ? nil : Array("{}".utf8)
            let answer = try #require(try process.send(route.method, target, body: body))
            Self.expectProblem(answer, "\(route.method.rawValue) \(target)")
            #expect(answer.text.contains("unheard_of"), "\(route.method.rawValue) \(target)")
        }
    }

    @Test("a body that makes no sense changes nothing", arguments: bodies)
    func senseless(body: String) throws {
        let process = try Self.withModel()
        let before = try #require(try process.send(.get, "/v1/models/m/state"))
        for route in Route.all where [.put, .post, .patch].contains(route.method) {
            for target in Self.targets(route) {
                let answer = try #require(try process.send(route.method, target, body: Array(body.utf8), pieces: 2))
                guard answer.status >= 300 else { continue }
                Self.expectProblem(answer, "\(route.method.rawValue) \(target) \(body)")
            }
        }
        let after = try #require(try process.send(.get, "/v1/models/m/state"))
        #expect(after.text == before.text)
    }

    private static func withModel() throws -> InProcess {
        let process = try InProcess()
        let answer = try #require(try process.send(.put, "/v1/models/m", body: Array(definition.utf8)))
        try #require(answer.status == 201, "\(answer.text)")
        return process
    }

    /// A refusal is a problem document (RFC 9457) and never the daemon's own fault.
    private static func expectProblem(_ answer: Answer, _ request: String) {
        #expect((400..<500).contains(answer.status), "\(request): \(answer.status) \(answer.text)")
        #expect(answer["Content-Type"] == "application/problem+json", "\(request)")
        #expect((answer.json["type"] as? String)?.hasPrefix("/problems/") == true, "\(request)")
        #expect((answer.json["detail"] as? String)?.isEmpty == false, "\(request)")
    }
}
