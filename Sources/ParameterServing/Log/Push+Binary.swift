// The gradients of a push in its record: a small head, then the floats as they are in memory.

import Journal
import Names
import Optimizers

extension Push {
    func write(to head: inout ByteWriter, in layout: ArenaLayout) -> [Bytes] {
        head.write(optional: key) { $0.write($1) }
        head.write(fingerprint.high)
        head.write(fingerprint.low)
        head.write(optional: basedOn?.step) { $0.write($1) }
        head.write(optional: loss) { $0.write($1) }
        head.write(nonFinite != nil)
        head.write(gradients.isDense) { $0.write($1) }
        let rows = gradients.sparse.sorted { $0.key < $1.key }
        head.write(rows) { head, entry in
            head.write(entry.key)
            head.write(entry.value.indices) { $0.write($1) }
            head.write(entry.value.values.count)
        }
        return arena.pieces(of: gradients.isDense, in: layout)
            + rows.map {
                Bytes(UnsafeRawBufferPointer($0.value.values[0..<$0.value.values.count]), owner: $0.value.values)
            }
    }

    init(
        _ key: PushKey?, reading reader: inout ByteReader, layout: ArenaLayout, arena: Arena
    ) throws(FormatError) {
        let head = try PushHead(reading: &reader, in: layout)
        try arena.read(head.isDense, from: &reader, in: layout)
        let rowBytes = head.rows.reduce(0) { sum, rows in
            sum + rows.indices.count * MemoryLayout<Int>.stride + rows.count * MemoryLayout<Float>.stride
        }
        var sparse: [Int: SparseRows] = [:]
        for rows in head.rows {
            try reader.checkFloats(rows.count)
            let values = try reader.makeFloats(rows.count)
            try reader.readRawFloats(into: values.base, count: rows.count)
            sparse[rows.parameter] = SparseRows(indices: rows.indices, values: values)
        }
        var gradients = Gradients(dense: arena.buffer, parameterCount: head.isDense.count)
        gradients.isDense = head.isDense
        gradients.sparse = sparse
        gradients.isFinite = !head.isNonFinite
        self.init(
            gradients: gradients, arena: arena, memory: rowBytes > 0 ? arena.owe(rowBytes) : nil, key: key,
            fingerprint: head.fingerprint, basedOn: head.basedOn.map(Basis.step), loss: head.loss,
            nonFinite: head.isNonFinite
                ? Complaint(pointer: "/gradients", exception: nil, detail: "non-finite") : nil)
    }
}

/// The part of a push's record between its key and its numbers.
struct PushHead {
    /// The rows of one parameter.
    struct Rows {
        /// The parameter's place in the layout.
        let parameter: Int
        let indices: [Int]
        /// The number of values in all rows.
        let count: Int
    }

    let fingerprint: Fingerprint
    /// The step that the gradient was computed from; nil if the push names none, or names a version.
    let basedOn: Int?
    let loss: Double?
    let isNonFinite: Bool
    /// By parameter: whether its whole gradient follows.
    let isDense: [Bool]
    let rows: [Rows]

    init(reading reader: inout ByteReader, in layout: ArenaLayout) throws(FormatError) {
        fingerprint = Fingerprint(high: try reader.readUInt64(), low: try reader.readUInt64())
        basedOn = try reader.readOptional { reader throws(FormatError) in try reader.readInt() }
        loss = try reader.readOptional { reader throws(FormatError) in try reader.readDouble() }
        isNonFinite = try reader.readBool()
        isDense = try reader.readArray { reader throws(FormatError) in try reader.readBool() }
        rows = try reader.readArray { reader throws(FormatError) in try reader.readRows(in: layout) }
        try reader.skipPadding(to: 4)
    }
}

extension Arena {
    /// The ranges of the marked parameters, with neighbours joined.
    func pieces(of present: [Bool], in layout: ArenaLayout) -> [Bytes] {
        var ranges: [Range<Int>] = []
        for (parameter, isPresent) in zip(layout.parameters, present) where isPresent && !parameter.range.isEmpty {
            if let last = ranges.last, last.upperBound == parameter.range.lowerBound {
                ranges[ranges.count - 1] = last.lowerBound..<parameter.range.upperBound
            } else {
                ranges.append(parameter.range)
            }
        }
        return ranges.map { Bytes(UnsafeRawBufferPointer(buffer[$0]), owner: self) }
    }

    func read(
        _ present: [Bool], from reader: inout ByteReader, in layout: ArenaLayout
    ) throws(FormatError) {
        guard present.count == layout.parameters.count else {
            throw FormatError(expected: "\(layout.parameters.count) parameters", offset: reader.offset)
        }
        for (parameter, isPresent) in zip(layout.parameters, present) where isPresent {
            try reader.readRawFloats(into: buffer.base + parameter.range.lowerBound, count: parameter.range.count)
        }
    }
}

extension ByteReader {
    /// Reads which rows of which parameter follow, and the total number of values.
    fileprivate mutating func readRows(in layout: ArenaLayout) throws(FormatError) -> PushHead.Rows {
        let index = try readInt()
        let indices = try readArray { reader throws(FormatError) in try reader.readInt() }
        let count = try readInt()
        guard layout.parameters.indices.contains(index) else {
            throw FormatError(expected: "a parameter's place", offset: offset)
        }
        let shape = layout.parameters[index].shape
        let rows = 0..<(shape.dimensions.first ?? 0)
        let (values, overflows) = indices.count.multipliedReportingOverflow(by: shape.rowCount)
        guard indices.allSatisfy(rows.contains), !overflows, values == count else {
            throw FormatError(expected: "rows of \(layout.parameters[index].name)", offset: offset)
        }
        return PushHead.Rows(parameter: index, indices: indices, count: count)
    }
}
