// A JSON document with tensors, made in pieces: a front part, the tensors, a back part.

import Names
import TensorCoding

/// A tensor in a document.
struct DocumentTensor: Sendable {
    /// Its member name; nil if its members are those of the document.
    var key: Name?
    let shape: [Int]
    let type: ElementType
    let encoding: TensorEncoding
    let values: TensorValues
    /// Whether `dtype` is written for float32 too.
    private var isText: Bool { encoding.isBase64 || !(type == .float32 || type.isInteger) }

    /// The least and the most bytes that it needs.
    var bytes: ClosedRange<Int> {
        let around = 64 + 22 * shape.count + 6 * (key?.utf8.count ?? 0)
        if encoding.isMetaOnly { return 0...around }
        if isText { return values.count * type.size...around + Base64.encodedCount(of: values.count * type.size) }
        return 2 * values.count...around + 26 * values.count
    }

    /// Writes the part before the values.
    func begin(_ writer: inout JSONWriter) {
        if let key {
            writer.key(key)
            writer.beginObject()
        }
        if type != .float32 || isText || encoding.isMetaOnly { writer.member("dtype", type.rawValue) }
        writer.key("shape")
        writer.integers(shape)
        if encoding.isMetaOnly { return }
        writer.key(isText ? "b64" : "data")
        writer.beginList(isText ? "\"" : "[")
    }

    /// Writes some of the values; a multiple of three, except at the end.
    func write(_ range: Range<Int>, _ writer: inout JSONWriter) {
        values.read(range) { piece in
            if isText {
                type.encode(piece).withUnsafeBytes { writer.list(base64: $0) }
            } else if type.isInteger {
                writer.list(integers: piece.integers, isFirst: range.lowerBound == 0)
            } else {
                writer.list(piece, isFirst: range.lowerBound == 0)
            }
        }
    }

    /// Writes the part after the values.
    func end(_ writer: inout JSONWriter) {
        if !encoding.isMetaOnly { writer.endList(isText ? "\"" : "]") }
        if key != nil { writer.endObject() }
    }
}

/// A document being made.
struct TensorDocument: PieceMaker {
    typealias Writing = @Sendable (inout JSONWriter) -> Void

    private enum Place {
        case front
        case tensor(Int, values: Int)
        case back
        case end
    }

    /// The number of values written at a time: a multiple of three, for base64.
    private static let step = 3072

    let count: Int? = nil
    private let front: Writing
    private let tensorCount: Int
    private let tensor: @Sendable (Int) -> DocumentTensor
    private let back: Writing
    private var writer: JSONWriter
    private var place = Place.front
    private var current: DocumentTensor?

    /// Makes a document from `front`, the tensors, and `back`.
    init(
        indented: Bool, front: @escaping Writing, tensors: Int, tensor: @escaping @Sendable (Int) -> DocumentTensor,
        back: @escaping Writing
    ) {
        self.front = front
        tensorCount = tensors
        self.tensor = tensor
        self.back = back
        writer = JSONWriter(indented: indented)
    }

    mutating func next() -> [UInt8]? {
        while writer.bytes.count < PieceSize.piece, advance() {}
        let piece = writer.take()
        return piece.isEmpty ? nil : piece
    }

    /// Writes a little more; false at the end.
    private mutating func advance() -> Bool {
        switch place {
        case .front:
            front(&writer)
            begin(0)
        case .tensor(let index, let written): write(index, from: written)
        case .back:
            back(&writer)
            writer.endDocument()
            place = .end
        case .end: return false
        }
        return true
    }

    private mutating func begin(_ index: Int) {
        guard index < tensorCount else { return place = .back }
        let next = tensor(index)
        next.begin(&writer)
        current = next
        place = .tensor(index, values: 0)
    }

    private mutating func write(_ index: Int, from start: Int) {
        guard let current else { return place = .back }
        let count = current.encoding.isMetaOnly ? 0 : current.values.count
        let end = min(start + Self.step, count)
        if start < end { current.write(start..<end, &writer) }
        guard end == count else { return place = .tensor(index, values: end) }
        current.end(&writer)
        begin(index + 1)
    }
}
