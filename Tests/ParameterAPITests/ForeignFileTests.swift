// Bodies that are files of other programs: the answer names their format, but not for a safetensors file whose first
// bytes only look like it.

import Testing

@testable import HTTPServing

@Suite("Files of other programs, in process")
struct ForeignFileTests {
    private static let definition = #"{"optimizer":"sgd","parameters":{"w":[0,0]}}"#
    private static let type = [(name: "Content-Type", value: "application/vnd.safetensors")]

    /// The answer to a push of these bytes.
    private func push(_ body: [UInt8]) throws -> Answer {
        let process = try InProcess()
        _ = try process.send(.put, "/v1/models/m", body: Array(Self.definition.utf8))
        return try #require(try process.send(.post, "/v1/models/m/gradients", headers: Self.type, body: body))
    }

    @Test("a pickle is told from a safetensors file whose header has 128 bytes")
    func pickle() throws {
        // pickle.dumps([1.0], protocol=4)
        let pickle: [UInt8] = [
            0x80, 0x04, 0x95, 0x0d, 0, 0, 0, 0, 0, 0, 0, 0x5d, 0x94, 0x47, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x61, 0x2e,
        ]
        #expect(try push(pickle).text.contains("pickle"))
        let damaged = [0x80, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: UInt8(ascii: "{"), count: 128)
        let answer = try push(damaged)
        #expect((400..<500).contains(answer.status))
        #expect(!answer.text.contains("pickle"), "\(answer.text)")
    }
}
