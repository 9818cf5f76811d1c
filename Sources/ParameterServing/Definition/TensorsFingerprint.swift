// The fingerprint of a push's gradients. It is made of the tensors as they were sent and never of the model's layout: the
// model may grow, freeze a parameter or return to an earlier layout before a retry arrives.

import Names

/// The fingerprint of tensors by name, of their bits: independent of their order, and of how they were written.
///
/// 1, 1.0 and its base64 are the same value; 0 and -0.0 differ. Tensors with other names or shapes differ, and so do a
/// whole gradient and rows with the same sum.
public struct TensorsFingerprint {
    private var count = 0
    // The sum of the tensors' fingerprints does not depend on their order, and needs no memory for each of them.
    private var sum = Fingerprint.nothing
    private let builder = Fingerprint.Builder()

    /// Starts without tensors.
    public init() {}

    /// Adds a whole tensor.
    ///
    /// - Parameters:
    ///   - name: the tensor's name.
    ///   - shape: its dimensions.
    ///   - values: the fingerprint of its values, as float32 in memory.
    public mutating func add(_ name: Name, shape: [Int], values: Fingerprint) {
        add(name) { builder in
            builder.add(shape.count)
            for dimension in shape { builder.add(dimension) }
            builder.add(values)
        }
    }

    /// Adds a tensor of rows: row `rows[k]` has the values `k`.
    public mutating func add(_ name: Name, rows: [Int], values: Fingerprint) {
        add(name) { builder in
            // Negative, unlike the number of dimensions of a whole tensor.
            builder.add(~rows.count)
            for row in rows { builder.add(row) }
            builder.add(values)
        }
    }

    /// Adds a tensor that could not be read.
    public mutating func addUnread(_ name: Name) { add(name) { _ in } }

    private mutating func add(_ name: Name, _ content: (Fingerprint.Builder) -> Void) {
        builder.reset()
        builder.add(name.text)
        content(builder)
        let print = builder.fingerprint
        sum = Fingerprint(high: sum.high &+ print.high, low: sum.low &+ print.low)
        count += 1
    }

    /// The fingerprint of all tensors.
    public var fingerprint: Fingerprint {
        let whole = Fingerprint.Builder()
        whole.add(count)
        whole.add(sum)
        return whole.fingerprint
    }
}
