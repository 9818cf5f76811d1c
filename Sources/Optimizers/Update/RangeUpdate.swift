// One kernel call: a range of the arena with its constants. Made by `UpdatePass`, run by the rule.

import CKernels

/// A range of the arena to update.
struct RangeUpdate {
    /// The elements of the arena.
    var range: Range<Int>
    /// The arena before the update.
    let weights: UnsafePointer<Float>
    /// The gradients of `range`, starting at its first value.
    let gradients: UnsafeMutablePointer<Float>
    /// The arena after the update.
    let next: UnsafeMutablePointer<Float>
    /// The conditioning that the kernel applies to the gradients.
    let conditioning: pk_pass
    /// The rule's constants.
    let numbers: pk_constants
    /// The first parameter of the range.
    let parameter: Int
    /// The offset of the range in that parameter's values.
    var offset = 0
    /// The sums of its changes.
    var sums = pk_sums()

    /// From 16 MiB on, new values leave the caches before anyone reads them.
    private static let leastStreamed = 4 << 20

    /// Runs a loop over the range.
    mutating func run(_ kernel: pk_rule, slots: [Slot]) {
        var update = call(slots: slots)
        pk_apply(VectorMath.isa, kernel, &update, &sums)
    }

    /// The arguments of the call, for rules that modify some.
    func call(slots: [Slot]) -> pk_update {
        let start = range.lowerBound
        var update = pk_update()
        update.count = range.count
        update.weights = weights + start
        update.gradients = UnsafePointer(gradients)
        update.next = next + start
        update.streams = range.count >= Self.leastStreamed ? 1 : 0
        update.slots = (place(in: slots, 0), place(in: slots, 1), place(in: slots, 2))
        update.pass = conditioning
        update.constants = numbers
        return update
    }

    private func place(in slots: [Slot], _ number: Int) -> UnsafeMutablePointer<Float>? {
        guard number < slots.count else { return nil }
        return slots[number].buffer.base + slots[number].ranges[parameter].lowerBound + offset
    }
}
