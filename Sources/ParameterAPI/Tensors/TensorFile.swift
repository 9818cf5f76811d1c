// A file of tensors in element types other than float32, made in pieces: a header, then the values of one tensor after
// another.

import TensorCoding

/// A binary file being made.
struct TensorFile: PieceMaker {
    private let head: [UInt8]
    private let tensors: [(values: TensorValues, type: ElementType)]
    private var index = -1
    private var written = 0

    /// Makes a file from a header and the values of tensors.
    init(_ head: [UInt8], _ tensors: [(values: TensorValues, type: ElementType)]) {
        self.head = head
        self.tensors = tensors
    }

    var count: Int? { tensors.reduce(head.count) { $0 + $1.values.count * $1.type.size } }

    mutating func next() -> [UInt8]? {
        if index < 0 {
            index = 0
            return head
        }
        while index < tensors.count {
            let (values, type) = tensors[index]
            guard written < values.count else {
                (index, written) = (index + 1, 0)
                continue
            }
            let end = min(values.count, written + PieceSize.piece / type.size)
            defer { written = end }
            return values.read(written..<end) { type.encode($0) }
        }
        return nil
    }
}
