// Bodies of which so much is collected that moving it takes milliseconds: the reader moves it when it is told to.

import Testing

@testable import TensorCoding

@Suite("Long bodies")
struct LongBodyTests {
    /// The part of a body that is long; each is collected in its own array.
    enum Part: CaseIterable {
        case tensors, indices, words

        var text: String {
            switch self {
            case .tensors:
                "{\"gradients\":{\((0..<20_000).map { "\"tensor\($0)\":[\($0)]" }.joined(separator: ","))}}"
            case .indices:
                "{\"gradients\":{\"e\":{\"indices\":[\((0..<300_000).map(String.init).joined(separator: ","))],"
                    + "\"values\":[[1]]}}}"
            case .words:
                "{\"words\":[\(Array(repeating: "\"aaaaaaaaaaaaaaaaaaaa\"", count: 100_000).joined(separator: ","))]}"
            }
        }

        /// Whether nothing is missing.
        func isWhole(_ body: JSONBody) -> Bool {
            switch self {
            case .tensors: return body.tensors.map(\.name.text) == (0..<20_000).map { "tensor\($0)" }
            case .indices:
                guard case .rows(let indices, _)? = body.tensors.first?.content else { return false }
                return indices == Array(0..<300_000)
            case .words: return body.document["words"]?.elements?.count == 100_000
            }
        }
    }

    @Test("what has been collected moves between two pieces, and nothing is lost", arguments: Part.allCases)
    func moves(part: Part) throws {
        let text = Array(part.text.utf8)
        var reader = JSONBodyReader(tensorKeys: ["gradients"], sink: Recorder())
        var moves = 0
        for start in stride(from: 0, to: text.count, by: 1 << 14) {
            if reader.isFull {
                moves += 1
                reader.makeRoom()
                let isFull = reader.isFull
                #expect(!isFull)
            }
            let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 14, alignment: 1)
            defer { chunk.deallocate() }
            let piece = text[start..<min(start + chunk.count, text.count)]
            chunk.copyBytes(from: piece)
            try reader.read(UnsafeRawBufferPointer(rebasing: chunk[..<piece.count]))
        }
        #expect(part.isWhole(try reader.finish()))
        #expect(moves > 0)
    }
}
