// Bodies of which so much is collected that moving it takes milliseconds: the reader moves it when it is told to.

import Names
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
            if reader.hasLongWork {
                moves += 1
                try reader.work()
                let isDue = reader.hasLongWork
                #expect(!isDue)
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

    @Test("a call of `read` completes as many tensors as the limit says, and `work` the rest", arguments: [1, 7, 300])
    func manyTensors(limit: Int) throws {
        let text = Array(
            "{\"gradients\":{\((0..<300).map { "\"t\($0)\":[\($0)]" }.joined(separator: ","))},\"a\":1}".utf8)
        let (last, next) = (Name("t\(limit - 1)"), Name("t\(limit)"))
        let sink = Recorder([last: 1, next: 1])
        var reader = JSONBodyReader(
            tensorKeys: ["gradients"], sink: sink, limits: JSONLimits(tensorsInPlace: limit))
        try text.withUnsafeBytes { try reader.read($0) }
        let isDue = reader.hasLongWork
        #expect(isDue)
        #expect(sink.values(last) == [Float(limit - 1)])
        #expect(sink.values(next) != [Float(limit)])
        try reader.work()
        let isStillDue = reader.hasLongWork
        #expect(!isStillDue)
        let body = try reader.finish()
        #expect(body.tensors.map(\.name.text) == (0..<300).map { "t\($0)" })
        #expect(body.document["a"]?.integer == 1)
    }

    @Test("an error in what `work` reads is reported at its place")
    func errorInWork() throws {
        let text = Array("{\"gradients\":{\"a\":1,\"b\":2,\"c\":tru}}".utf8)
        var reader = JSONBodyReader(tensorKeys: ["gradients"], sink: Recorder(), limits: JSONLimits(tensorsInPlace: 1))
        try text.withUnsafeBytes { try reader.read($0) }
        var error: JSONError?
        do throws(JSONError) { try reader.work() } catch let caught { error = caught }
        #expect(error?.reason == .invalidLiteral)
        #expect(error?.position.offset == 33)
    }

    @Test("base64 before its type is converted between two pieces, or by the next call", arguments: [true, false])
    func earlyBase64(isPaused: Bool) throws {
        let values = (0..<300_000).map { Float($0) }
        let text = Self.body(values, isEarly: true, then: "[1,2]")
        let sink = Recorder(["a": values.count, "b": 2])
        let (body, works) = try Self.read(text, sink, isPaused: isPaused)
        #expect((works > 0) == isPaused)
        #expect(body.issues.isEmpty)
        #expect(body.tensors.map(\.name.text) == ["a", "b"])
        #expect(body.tensors.map(\.elementCount) == [values.count, 2])
        #expect(sink.values("a") == values)
        #expect(sink.values("b") == [1, 2])
    }

    @Test("integers before their type are checked between two pieces, or by the next call", arguments: [true, false])
    func earlyIntegers(isPaused: Bool) throws {
        let numbers = Array(repeating: "1", count: 300_000).joined(separator: ",")
        let text = Array("{\"gradients\":{\"a\":{\"data\":[\(numbers),256],\"dtype\":\"U8\"},\"b\":[1,2]}}".utf8)
        let (body, works) = try Self.read(text, IntegerSink(), isPaused: isPaused)
        #expect((works > 0) == isPaused)
        #expect(body.issues.map(\.pointer) == ["/gradients/a/data"])
        #expect(body.tensors.map(\.elementCount) == [300_001, 2])
    }

    @Test("after values before their type, errors are reported at their place")
    func positionAfterEarlyValues() throws {
        let values = [Float](repeating: 1, count: 300_000)
        let places = [true, false].map { isEarly in
            #expect(throws: JSONError.self) {
                try Self.read(Self.body(values, isEarly: isEarly, then: "[tru]"), Recorder(), isPaused: true)
            }?.position
        }
        #expect(places[0] == places[1])
        #expect(places[0]?.offset != nil)
    }

    /// A body with the tensor `a` in base64 and the tensor `b`.
    private static func body(_ values: [Float], isEarly: Bool, then other: String) -> [UInt8] {
        var base64: [UInt8] = []
        values.withUnsafeBytes { Base64.encode($0, into: &base64) }
        let (text, type) = ("\"b64\":\"\(String(decoding: base64, as: UTF8.self))\"", "\"dtype\":\"F32\"")
        let members = isEarly ? "\(text),\(type)" : "\(type),\(text)"
        return Array("{\"gradients\":{\"a\":{\(members)},\"b\":\(other)}}".utf8)
    }

    /// Reads a body in pieces; returns how often there was work due between them, and done.
    private static func read(
        _ text: [UInt8], _ sink: any TensorSink, isPaused: Bool
    ) throws -> (body: JSONBody, works: Int) {
        var reader = JSONBodyReader(tensorKeys: ["gradients"], sink: sink)
        var works = 0
        for start in stride(from: 0, to: text.count, by: 1 << 14) {
            try text[start..<min(start + 1 << 14, text.count)].withUnsafeBytes { try reader.read($0) }
            guard isPaused, reader.hasLongWork else { continue }
            works += 1
            try reader.work()
        }
        return (try reader.finish(), works)
    }
}

/// A sink that accepts integers.
private final class IntegerSink: TensorSink {
    func destination(for name: Name, in section: Name) -> TensorDestination { .growing }
    func integers(for name: Name) -> IntegerUse { .taken }
    func allowGrowth(bytes: Int) -> Bool { true }
}
