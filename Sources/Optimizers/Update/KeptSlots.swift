// Copies of what an update may spoil, kept until it has succeeded: slots are written in place, and an overflow in one
// would corrupt every later update. `Modesty` decides when no copy is needed.

import CKernels

/// Copies of the slots of the parameters that an update touches.
struct KeptSlots {
    /// A range of a slot, with the offset of its values in `memory`.
    private struct Piece {
        let slot: Slot
        let parameter: Int
        let start: Int

        var now: UnsafeMutableBufferPointer<Float> { slot[parameter] }
    }

    private let pieces: [Piece]
    /// The copies.
    let memory: FloatBuffer

    /// The bytes needed for the copies of an update with these gradients.
    static func bytes(_ slots: [Slot], of layout: ArenaLayout, touchedBy gradients: Gradients) -> Int {
        let touched = layout.parameters.indices.filter(gradients.has)
        return slots.reduce(0) { sum, slot in
            touched.reduce(sum) { $0 + slot.ranges[$1].count * MemoryLayout<Float>.stride }
        }
    }

    /// Copies the slots, into `room` if that is large enough.
    init(_ slots: [Slot], of layout: ArenaLayout, touchedBy gradients: Gradients, in room: FloatBuffer?) {
        let touched = layout.parameters.indices.filter(gradients.has)
        var (pieces, count): ([Piece], Int) = ([], 0)
        for slot in slots {
            for parameter in touched where !slot.ranges[parameter].isEmpty {
                pieces.append(Piece(slot: slot, parameter: parameter, start: count))
                count += slot.ranges[parameter].count
            }
        }
        self.pieces = pieces
        memory = room.flatMap { $0.count >= count ? $0 : nil } ?? FloatBuffer(owed: count)
        for piece in pieces { _ = memory[before(piece)].update(fromContentsOf: piece.now) }
    }

    private func before(_ piece: Piece) -> Range<Int> { piece.start..<piece.start + piece.now.count }

    /// The first slot that an update made non-finite; nil if there is none, or it was non-finite before.
    ///
    /// The first releases let a slot overflow if its parameter stayed finite: such a model continues to work.
    var firstNonFinite: (parameter: Int, slot: String)? {
        let stray = pieces.first { piece in
            !VectorMath.allFinite(piece.now)
                && zip(memory[before(piece)], piece.now).contains { $0.isFinite && !$1.isFinite }
        }
        return stray.map { ($0.parameter, $0.slot.name) }
    }

    /// Restores the slots from before the update.
    func putBack() {
        for piece in pieces { _ = piece.now.update(fromContentsOf: memory[before(piece)]) }
    }
}
