// Files whose tensors the sink knows: they are read as others are, without names or searches of their own.

import Names
import Testing

@testable import TensorCoding

/// A sink that knows some tensors, in their order.
private final class KnowingSink: TensorSink {
    let names: [Name]
    let shape: [Int]
    let memory: UnsafeMutableBufferPointer<Float>
    private(set) var others: [Name] = []
    private(set) var guesses = 0

    init(_ names: [Name], shape: [Int]) {
        (self.names, self.shape) = (names, shape)
        memory = .allocate(capacity: names.count)
        memory.initialize(repeating: .nan)
    }

    deinit { memory.deallocate() }

    func known(_ bytes: UnsafeBufferPointer<UInt8>, after place: Int) -> KnownTensor? {
        guard let index = names.firstIndex(where: { $0.isSpelled(bytes) }) else { return nil }
        if index == place + 1 { guesses += 1 }
        return KnownTensor(name: names[index], place: index, shape: shape)
    }

    func destination(ofKnown place: Int) -> TensorDestination {
        .memory(UnsafeMutableBufferPointer(rebasing: memory[place..<place + 1]))
    }

    func destination(for name: Name, in section: Name) -> TensorDestination {
        others.append(name)
        return .growing
    }

    func allowGrowth(bytes: Int) -> Bool { true }
}

@Suite("Tensors that the sink knows")
struct KnownTensorTests {
    private static let names: [Name] = ["layers.0.weight", "é", "c", "layers.1.weight"]

    /// A file with one float for each name: its index.
    private func file(_ names: [Name]) -> [UInt8] {
        names.indices.reduce(into: SafetensorsHeader.encode(names.map { ($0, .float32, [1]) })) { file, index in
            file += withUnsafeBytes(of: Float(index)) { Array($0) }
        }
    }

    private func header(_ text: String, _ sink: any TensorSink) -> Result<[SafetensorsEntry], SafetensorsError> {
        Array(text.utf8).withUnsafeBytes { bytes in
            Result { () throws(SafetensorsError) in
                try SafetensorsHeader(parsing: bytes, limits: SafetensorsLimits(), sink: sink).entries
            }
        }
    }

    @Test("each is written to its place, in whatever order the file has them", arguments: [1, 7, 1 << 20])
    func places(chunk: Int) throws {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0]] {
            let sink = KnowingSink(Self.names, shape: [1])
            let sent: [Name] = order.map { Self.names[$0] } + ["unknown"]
            let body = try readFile(file(sent), chunk: chunk, sink: sink)
            #expect(body.tensors.map(\.name) == sent)
            #expect(body.tensors.map(\.place) == order.map { $0 } + [nil])
            #expect(body.tensors.map(\.shape) == sent.map { _ in [1] })
            #expect(body.tensors.map(\.pointer) == sent.map { "/\($0)" })
            #expect(sink.others == ["unknown"])
            #expect(order.enumerated().allSatisfy { sink.memory[$1] == Float($0) })
            #expect(body.tensors.last?.grown == [Float(order.count)])
        }
    }

    @Test("a file in the sink's order is found without a search")
    func order() throws {
        let sink = KnowingSink(Self.names, shape: [1])
        _ = try readFile(file(Self.names), sink: sink)
        #expect(sink.guesses == Self.names.count)
    }

    @Test("a name that comes twice is a mistake at the same place, known or not, however it is written")
    func duplicates() {
        let entry = #"{"dtype":"F32","shape":[],"data_offsets":[0,4]}"#
        for (first, second) in [("c", "c"), ("c", #"\u0063"#), (#"\u00e9"#, "é"), ("é", "é")] {
            let text = #"{"\#(first)":\#(entry),"b":\#(entry),"\#(second)":\#(entry)}"#
            let known = header(text, KnowingSink(Self.names, shape: []))
            guard case .failure(.header(let error)) = known else {
                Issue.record("\(text) was read")
                continue
            }
            #expect(error.reason == .duplicateKey(second == "c" || second == #"\u0063"# ? "c" : "é"))
            #expect(error.position.offset == text.utf8.count - entry.utf8.count - 1)
            #expect(header(text, KnowingSink([], shape: [])) == known)
        }
    }

    @Test("the shape is that of the file, whatever the sink expects")
    func shapes() throws {
        let text = #"{"c":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#
        for shape in [[2, 3], [3, 2], []] {
            #expect(try header(text, KnowingSink(Self.names, shape: shape)).get().map(\.shape) == [[2, 3]])
        }
    }

    @Test("spaces and escapes, which are read byte by byte, change nothing")
    func spelling() throws {
        let plain =
            #"{"c":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"#
            + #""x":{"dtype":"I8","shape":[],"data_offsets":[8,9]}}"#
        let expected = try header(plain, KnowingSink(Self.names, shape: [1, 2])).get()
        #expect(expected.map(\.name) == ["c", "x"] && expected.map(\.type) == [.float32, .int8])
        for (from, to) in [
            (":", ": "), (":", " : "), (",", ", "), (",", " ,\n  "), ("\"c\"", #""\u0063""#), ("dtype", #"\u0064type"#),
            ("F32", #"F\u00332"#), ("{", "{ "), ("}", " }"),
        ] {
            let text = plain.replacing(from, with: to)
            #expect(try header(text, KnowingSink(Self.names, shape: [1, 2])).get() == expected, "\(text)")
        }
    }

    @Test("a header that ends too early is a mistake, wherever it ends")
    func truncation() {
        let whole = #"{"__metadata__":{"a":"b"},"c":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":null}}"#
        for count in 1..<whole.utf8.count {
            let read = header(String(whole.prefix(count)), KnowingSink(["c"], shape: [1]))
            guard case .failure(.header(let error)) = read else {
                Issue.record("the first \(count) bytes were read")
                continue
            }
            #expect(error.position.offset == count)
        }
    }
}
