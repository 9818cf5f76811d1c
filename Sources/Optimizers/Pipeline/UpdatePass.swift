// One update under way: where it reads and writes and what it has counted. Held by the optimizer for the length of a
// step, so that the stages and `construct` need no further arguments.

import CKernels

/// The memory and the numbers of the update under way.
struct UpdatePass {
    let current: UnsafePointer<Float>
    let next: UnsafeMutablePointer<Float>
    let gradients: UnsafeMutablePointer<Float>
    /// Per group; NaN where the rule makes its own.
    let rates: [Float]
    /// Per group, as configured.
    let decays: [Float]
    /// Multiplies gradients before weight decay: MindSpore's training cell unscales before it calls the optimizer.
    let unscale: Float?
    /// Multiplies gradients after weight decay: the optimizer's own loss scale.
    let scaleAfter: Float?
    /// What weight decay is multiplied by, since `scaleAfter` divides it again.
    let lossScale: Float
    /// By parameter: whether `next` holds the values of `current` already; empty where it holds none.
    var held: [Bool] = []
    var sums = pk_sums()
}

extension pk_constants {
    /// Whether both are the same bits.
    func isSame(as other: pk_constants) -> Bool {
        withUnsafeBytes(of: self) { a in withUnsafeBytes(of: other) { b in a.elementsEqual(b) } }
    }

    /// These constants with an option's bit set or not.
    func with(_ option: pk_option, _ isOn: Bool) -> pk_constants {
        var copy = self
        if isOn { copy.option |= Int32(option.rawValue) }
        return copy
    }
}

extension pk_pass {
    /// Whether both are the same bits.
    func isSame(as other: pk_pass) -> Bool {
        withUnsafeBytes(of: self) { a in withUnsafeBytes(of: other) { b in a.elementsEqual(b) } }
    }
}
