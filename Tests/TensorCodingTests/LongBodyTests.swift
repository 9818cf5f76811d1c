// Bodies of which so much is collected that moving it takes milliseconds: the reader moves it when it is told to.

import Testing

@testable import TensorCoding

@Suite("Long bodies")
struct LongBodyTests {
    @Test("what has been collected moves between two pieces, and nothing is lost")
    func moves() throws {
        let tensors = (0..<20_000).map { "\"tensor\($0)\":[\($0)]" }.joined(separator: ",")
        let words = Array(repeating: "\"aaaaaaaaaaaaaaaaaaaa\"", count: 100_000).joined(separator: ",")
        let text = Array("{\"gradients\":{\(tensors)},\"words\":[\(words)]}".utf8)
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
        let body = try reader.finish()
        #expect(moves > 2)
        #expect(body.tensors.map(\.name.text) == (0..<20_000).map { "tensor\($0)" })
        #expect(body.document["words"]?.elements?.count == 100_000)
    }
}
