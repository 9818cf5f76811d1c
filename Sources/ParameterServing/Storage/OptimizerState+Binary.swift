// The optimizer's scalars on disk. The slots' values follow the head; here are only their names and counts.

import Optimizers

extension ByteWriter {
    mutating func write(_ state: OptimizerState) {
        write(state.step)
        write(state.isStarted) { $0.write($1) }
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

extension ByteReader {
    /// Reads what `write(_: OptimizerState)` wrote; each slot has a buffer of its size whose values are not set.
    ///
    /// - Parameter slotBytes: the bytes, wherever they lie, that the values of all slots are going to be read from.
    mutating func readOptimizerState(slotBytes: Int) throws(FormatError) -> OptimizerState {
        var room = slotBytes / MemoryLayout<Float>.stride
        let step = try readInt()
        let isStarted = try readArray { reader throws(FormatError) in try reader.readBool() }
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
            return OptimizerState.SlotMemory(name: name, buffer: FloatBuffer(count: count))
        }
        return OptimizerState(
            step: step, isStarted: isStarted, parameterScalars: Dictionary(scalars, uniquingKeysWith: { a, _ in a }),
            lossScaler: lossScaler, slots: slots)
    }
}
