// A held push in a checkpoint's file. Its gradients are tensors of the file; its record without them is in the metadata,
// so that the metadata stay small and any tool can read the gradients.

import Journal
import Names
import Optimizers

/// The record of a held push, divided at its gradients.
struct HeldRecord {
    /// A gradient in it, of a whole parameter or of some of its rows.
    struct Gradient {
        let parameter: Name
        let shape: Shape
        /// The rows; nil for the whole parameter.
        let indices: [Int]?
    }

    /// The gradients in the order of their values.
    let gradients: [Gradient]
    let key: PushKey?
    let head: PushHead
    let tail: RecordTail
    /// The place of the values in the whole record, in bytes.
    let values: Range<Int>
    /// The record without the values: what comes before them, and what comes after them.
    let ends: (before: [UInt8], after: [UInt8])

    /// The step or version that the gradients were computed from; nil if the push names none.
    var basis: Basis? { tail.basis.map(Basis.cursor) ?? head.basedOn.map(Basis.step) }

    /// Reads a record.
    ///
    /// - Parameters:
    ///   - record: with the values of its gradients or without.
    ///   - layout: that of the parameters when the record was made.
    ///   - hasValues: whether it is with them.
    init(_ record: [UInt8], in layout: ArenaLayout, hasValues: Bool) throws(FormatError) {
        (key, head, gradients, values, tail) = try record.withUnsafeBufferPointer { bytes throws(FormatError) in
            var reader = ByteReader(UnsafeRawBufferPointer(bytes))
            let key = try reader.readOptional { reader throws(FormatError) in
                guard try reader.readByte() == 0 else {
                    throw FormatError(expected: "the number of a push", offset: reader.offset - 1)
                }
                return try reader.readPushKey()
            }
            let head = try PushHead(reading: &reader, in: layout)
            let gradients = try Self.gradients(of: head, in: layout)
            let start = reader.offset
            for gradient in gradients where hasValues {
                try reader.checkFloats(gradient.shape.elementCount)
                _ = try reader.take(gradient.shape.elementCount * MemoryLayout<Float>.stride, "gradients")
            }
            let end = reader.offset
            let tail = try RecordTail(reading: &reader)
            guard reader.bytesLeft == 0 else {
                throw FormatError(expected: "the end of a held push", offset: reader.offset)
            }
            return (key, head, gradients, start..<end, tail)
        }
        ends = (Array(record[..<values.lowerBound]), Array(record[values.upperBound...]))
    }

    /// The gradients in a record: those of whole parameters first, each in the order of the layout.
    private static func gradients(of head: PushHead, in layout: ArenaLayout) throws(FormatError) -> [Gradient] {
        let parameters = layout.parameters
        guard head.isDense.count == parameters.count,
            zip(head.rows, head.rows.dropFirst()).allSatisfy({ $0.parameter < $1.parameter }),
            head.rows.allSatisfy({ !head.isDense[$0.parameter] })
        else {
            throw FormatError(expected: "at most one gradient for each of \(parameters.count) parameters", offset: 0)
        }
        var gradients = zip(parameters, head.isDense).filter(\.1).map { parameter, _ in
            Gradient(parameter: parameter.name, shape: parameter.shape, indices: nil)
        }
        for rows in head.rows {
            let parameter = parameters[rows.parameter]
            guard let shape = Shape([rows.indices.count] + parameter.shape.dimensions.dropFirst()) else {
                throw FormatError(expected: "rows of \(parameter.name)", offset: 0)
            }
            gradients.append(Gradient(parameter: parameter.name, shape: shape, indices: rows.indices))
        }
        return gradients
    }

    /// The name of a gradient in files, in the push at a place of the round: no slot's name holds a full stop.
    static func name(of parameter: Name, at place: Int) -> Name { Name("\(parameter)\(mark)\(place)") }

    /// What distinguishes the name of a gradient in a file from other names.
    static let mark = "#held."
}
