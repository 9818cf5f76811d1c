// What an update may spoil, kept until it has proved sound: slots are written in place, and one that overflows would make
// every later update wrong. `Optimizer+Modesty` tells when no copy is needed.

/// Copies of the slots of the parameters that an update touches, and of the rule's numbers.
struct KeptSlots {
    /// A stretch of a slot with the place of its values in `values`.
    private struct Piece {
        let slot: Int
        let parameter: Int
        let range: Range<Int>
        let start: Int
    }

    private let pieces: [Piece]
    private let values: FloatBuffer
    private let scalars: [String: [Double]]

    /// What the copies of an update with these gradients take.
    static func bytes(of optimizer: Optimizer, touchedBy gradients: Gradients) -> Int {
        let touched = gradients.touched
        return optimizer.slots.reduce(0) { sum, slot in
            touched.reduce(sum) { $0 + slot.ranges[$1].count * MemoryLayout<Float>.stride }
        }
    }

    init(of optimizer: Optimizer, touchedBy gradients: Gradients) {
        let touched = gradients.touched
        var (pieces, count): ([Piece], Int) = ([], 0)
        for (place, slot) in optimizer.slots.enumerated() {
            for parameter in touched where !slot.ranges[parameter].isEmpty {
                let range = slot.ranges[parameter]
                pieces.append(Piece(slot: place, parameter: parameter, range: range, start: count))
                count += range.count
            }
        }
        (self.pieces, values, scalars) = (pieces, FloatBuffer(count: count), optimizer.parameterScalars)
        for piece in pieces {
            let source = optimizer.slots[piece.slot].buffer.base + piece.range.lowerBound
            (values.base + piece.start).update(from: source, count: piece.range.count)
        }
    }

    /// The first slot that an update has made non-finite; nil where all are sound, or no worse than before.
    ///
    /// The first releases let a slot overflow where its parameter stayed finite: such a model goes on as it did.
    func firstNonFinite(in optimizer: Optimizer) -> (parameter: String, slot: String)? {
        let stray = pieces.first { piece in
            let now = optimizer.slots[piece.slot].buffer[piece.range]
            return !VectorMath.allFinite(now) && hasSpoiled(piece, now)
        }
        return stray.map { (optimizer.layout.parameters[$0.parameter].name.text, optimizer.slots[$0.slot].name) }
    }

    /// Whether a value that was finite no longer is.
    private func hasSpoiled(_ piece: Piece, _ now: UnsafeMutableBufferPointer<Float>) -> Bool {
        zip(values[piece.start..<piece.start + now.count], now).contains { $0.isFinite && !$1.isFinite }
    }

    /// Undoes what the update did to slots and numbers.
    func putBack(into optimizer: Optimizer) {
        for piece in pieces {
            (optimizer.slots[piece.slot].buffer.base + piece.range.lowerBound)
                .update(from: values.base + piece.start, count: piece.range.count)
        }
        optimizer.parameterScalars = scalars
    }
}

extension Gradients {
    /// The parameters that have a gradient.
    fileprivate var touched: [Int] { isDense.indices.filter { isDense[$0] || sparse[$0] != nil } }
}
