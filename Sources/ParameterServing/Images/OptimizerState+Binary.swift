// The optimizer's scalars on disk: in images, restore records and creations from a file. The slots' values follow
// elsewhere; this has only their names and sizes. A form with counts starts with a number that cannot be a step.

import Optimizers

/// Precedes the step if counts per parameter follow the flags; the first form had neither.
private let formWithCounts = -2
/// Precedes averages, which precede the other forms; -3 is taken by restores without values.
private let formWithAverages = -4

extension ByteWriter {
    mutating func write(_ state: OptimizerState) {
        if !state.averages.isEmpty {
            write(formWithAverages)
            write(state.averages) { $0.write($1) }
        }
        let counts = state.counts ?? []
        if !counts.isEmpty { write(formWithCounts) }
        write(state.step)
        write(state.isStarted) { $0.write($1) }
        if !counts.isEmpty { write(counts) { $0.write($1) } }
        write(state.parameterScalars.sorted { $0.key < $1.key }) { writer, scalar in
            writer.write(scalar.key)
            writer.write(scalar.value) { $0.write($1) }
        }
        write(state.lossScaler) { $0.write($1) }
        write(state.slots) { writer, slot in
            writer.write(slot.name)
            writer.write(slot.buffer.count)
        }
    }
}

extension ByteWriter {
    private mutating func write(_ average: AverageMemory) {
        write(average.kind.rawValue)
        write(average.updates)
        write(average.buffer.count)
    }
}

extension ByteReader {
    /// Reads the output of `write(_: OptimizerState)`; each slot and average gets a buffer of its size, to be filled later.
    ///
    /// - Parameter slotBytes: the size of all values of slots and averages, wherever they are.
    mutating func readOptimizerState(slotBytes: Int) throws(FormatError) -> OptimizerState {
        var room = slotBytes / MemoryLayout<Float>.stride
        var first = try readInt()
        var averages: [AverageMemory] = []
        if first == formWithAverages {
            averages = try readArray { reader throws(FormatError) in try reader.readAverage(&room) }
            first = try readInt()
        }
        let step = first == formWithCounts ? try readInt() : first
        let isStarted = try readArray { reader throws(FormatError) in try reader.readBool() }
        let counts =
            first == formWithCounts ? try readArray { reader throws(FormatError) in try reader.readInt() } : nil
        let scalars = try readArray { reader throws(FormatError) in
            (
                try reader.readString(),
                try reader.readArray { reader throws(FormatError) in try reader.readDouble() }
            )
        }
        let lossScaler = try readArray { reader throws(FormatError) in try reader.readDouble() }
        let slots = try readArray { reader throws(FormatError) in
            let name = try reader.readString()
            let count = try reader.readInt()
            guard count >= 0, count <= room else {
                throw FormatError(expected: "a slot no larger than its values", offset: reader.offset - 8)
            }
            room -= count
            return OptimizerState.SlotMemory(name: name, buffer: try reader.makeFloats(count))
        }
        var state = OptimizerState(
            step: step, isStarted: isStarted, counts: counts,
            parameterScalars: Dictionary(scalars, uniquingKeysWith: { a, _ in a }), lossScaler: lossScaler, slots: slots
        )
        state.averages = averages
        return state
    }

    private mutating func readAverage(_ room: inout Int) throws(FormatError) -> AverageMemory {
        guard let kind = Average.Kind(rawValue: try readString()) else {
            throw FormatError(expected: "the name of an average", offset: offset)
        }
        let (updates, count) = (try readInt(), try readInt())
        guard count >= 0, count <= room, updates > 0 else {
            throw FormatError(expected: "an average no larger than its values", offset: offset - 8)
        }
        room -= count
        return AverageMemory(kind: kind, updates: updates, buffer: try makeFloats(count))
    }
}
