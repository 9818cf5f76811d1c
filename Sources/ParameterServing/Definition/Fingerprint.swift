// Fingerprints are XXH3-128: as fast as memory, with negligible chance of collisions. They guard against mistakes, not
// against attackers, who could push anything anyway.

import CXXHash
import Optimizers

/// A 128-bit hash of a body's meaning; different bodies practically never have the same hash.
public struct Fingerprint: Sendable, Hashable {
    /// The first eight bytes.
    public var high: UInt64
    /// The last eight bytes.
    public var low: UInt64

    /// Makes a fingerprint from its two halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

extension Fingerprint: CustomStringConvertible {
    /// 32 hex digits.
    public var description: String {
        [high, low].map { half in
            let digits = String(half, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// Makes the fingerprint of bytes.
    public init(of bytes: UnsafeRawBufferPointer) {
        let digest = XXH3_128bits(bytes.baseAddress, bytes.count)
        self.init(high: digest.high64, low: digest.low64)
    }

    /// Makes the fingerprint of a number.
    public init(of number: Int) {
        let builder = Builder()
        builder.add(number)
        self = builder.fingerprint
    }

    /// Hashes bytes given in pieces; the boundaries of the pieces do not matter.
    public final class Builder {
        private let state = XXH3_createState()

        /// Starts without input.
        public init() { reset() }

        /// Starts again without input.
        public func reset() { XXH3_128bits_reset(state) }

        deinit { XXH3_freeState(state) }

        /// Adds raw bytes.
        public func add(_ bytes: UnsafeRawBufferPointer) {
            XXH3_128bits_update(state, bytes.baseAddress, bytes.count)
        }

        /// Adds a text with its length, so that neighbouring texts cannot run together.
        public func add(_ text: String) {
            var text = text
            text.withUTF8 {
                add($0.count)
                add(UnsafeRawBufferPointer($0))
            }
        }

        /// Adds a number.
        public func add(_ number: Int) {
            withUnsafeBytes(of: Int64(number).littleEndian) { add($0) }
        }

        /// Adds a fingerprint.
        func add(_ print: Fingerprint) {
            for half in [print.high, print.low] { withUnsafeBytes(of: half.littleEndian) { add($0) } }
        }

        /// The fingerprint of all input.
        public var fingerprint: Fingerprint {
            let digest = XXH3_128bits_digest(state)
            return Fingerprint(high: digest.high64, low: digest.low64)
        }
    }
}

extension Fingerprint {
    /// The fingerprint of tensors together with that of the other fields of their push.
    public func with(_ fields: Fingerprint) -> Fingerprint {
        let builder = Builder()
        builder.add(self)
        builder.add("fields")
        builder.add(fields)
        return builder.fingerprint
    }

    /// The form of earlier releases, which is in journals and snapshots: the fingerprint of gradients together with the
    /// hyperparameters of their push; this one if it has none.
    func with(_ hyperparameters: Hyperparameters?) -> Fingerprint {
        guard let hyperparameters else { return self }
        let builder = Builder()
        builder.add(self)
        builder.add(hyperparameters.setting.fingerprint)
        return builder.fingerprint
    }
}

extension Gradients {
    /// The fingerprint of values of a layout: of their bits, independent of how they were written.
    ///
    /// Imports have this form, and so had pushes of earlier releases, which are in journals and snapshots: it must not
    /// change. 1, 1.0 and its base64 are the same body; 0 and -0.0 differ in their bits. A dense gradient and rows with
    /// the same sum differ too: the index of a gradient in rows is written as its complement, which is negative,
    /// followed by the number of rows; the length of a dense one follows from the layout.
    public func fingerprint(in layout: ArenaLayout) -> Fingerprint {
        let builder = Fingerprint.Builder()
        for (index, parameter) in layout.parameters.enumerated() {
            if isDense[index] {
                builder.add(index)
                builder.add(
                    UnsafeRawBufferPointer(
                        start: dense.base + parameter.range.lowerBound,
                        count: parameter.range.count * MemoryLayout<Float>.stride))
            } else if let rows = sparse[index] {
                builder.add(~index)
                builder.add(rows.indices.count)
                rows.indices.withUnsafeBytes { builder.add($0) }
                builder.add(
                    UnsafeRawBufferPointer(
                        start: rows.values.base, count: rows.values.count * MemoryLayout<Float>.stride))
            }
        }
        return builder.fingerprint
    }
}
