// A problem is data until it is written: shapes stay shapes, texts stay texts, and pointers are escaped.

import HTTPServing
import Names
import Optimizers
import TensorCoding
import Testing

@testable import ParameterAPI
@testable import ParameterServing

/// Problems as documents.
@Suite struct ProblemTests {
    private func document(_ problem: Problem, _ method: HTTPServing.Method = .put) throws -> JSONValue {
        let response = problem.response(for: try Request(method: method, target: "/v1/models/demo"))
        guard case .bytes(let bytes) = response.body else { throw NoBytes() }
        return try JSONValue(parsing: Array(bytes))
    }

    private struct NoBytes: Error {}

    private func item(_ complaint: Complaint) throws -> JSONValue {
        try #require(try document(Problem([complaint]))["errors"]?[0])
    }

    /// A shape is an array; a text of the client that looks like one stays a text.
    @Test func shapesAreData() throws {
        let complaint = Complaint(pointer: "/w", exception: .valueError, detail: "`w` is wrong")
        let shapes = try item(complaint.comparing(expected: .shape([2, 3]), got: .shape([])))
        #expect(shapes["expected"] == .array([.integer(2), .integer(3)]))
        #expect(shapes["got"] == .array([]))
        let words = try item(complaint.comparing(expected: .words("a number"), got: .words("[2, 3]")))
        #expect(words["got"] == .string("[2, 3]"))
    }

    /// Names with `/` and `~` are one token of a pointer (RFC 6901, section 3).
    @Test(arguments: [
        ServingError.diverged(parameter: "a/b~c"), .diverged(parameter: "a/b~c", slot: "moments"),
        ServingError(.nonFiniteGradient(parameter: "a/b~c")),
    ])
    func pointersAreEscaped(_ error: ServingError) throws {
        let pointer = try #require(Problem(error).items.first?.pointer)
        #expect(pointer.split(separator: "/").last == "a~1b~0c", "\(pointer)")
    }

    /// The answer to a write says that nothing was applied, once and before the line to paste; the answer to a read
    /// does not.
    @Test func outcomes() throws {
        let problem = Problem(.notFound, "Nothing was applied for.", hint: "Try.", command: "curl x")
        let sentences = "Nothing was applied for. Try. Nothing was applied. With curl: curl x"
        #expect(try document(problem)["detail"] == .string(sentences))
        #expect(try document(problem, .get)["detail"] == .string("Nothing was applied for. Try. With curl: curl x"))
        #expect(!Problem(ServingError.outcomeUnknown(reason: "It failed.")).detail(isWrite: true).contains("Nothing"))
        #expect(!Problem(Refusal.cutOff).detail(isWrite: true).contains("Nothing"))
    }
}
