// Fingerprints are XXH3-128: as fast as memory, and far beyond chance collisions. They guard against mistakes, not
// against attackers, who could push what they like anyway.

import CXXHash
import Optimizers

extension Fingerprint: CustomStringConvertible {
    /// 32 hex digits.
    public var description: String {
        [high, low].map { half in
            let digits = String(half, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// The fingerprint of some bytes.
    public init(of bytes: UnsafeRawBufferPointer) {
        let builder = Builder()
        builder.add(bytes)
        self = builder.fingerprint
    }

    /// The fingerprint of a number.
    public init(of number: Int) {
        let builder = Builder()
        builder.add(number)
        self = builder.fingerprint
    }

    /// Feeds bytes in pieces; the pieces' borders do not matter.
    public final class Builder {
        private let state = XXH3_createState()

        /// Starts with nothing fed.
        public init() {
            XXH3_128bits_reset(state)
        }

        deinit { XXH3_freeState(state) }

        /// Feeds raw bytes.
        public func add(_ bytes: UnsafeRawBufferPointer) {
            XXH3_128bits_update(state, bytes.baseAddress, bytes.count)
        }

        /// Feeds a text with its length, so that neighbours cannot run together.
        public func add(_ text: String) {
            var text = text
            text.withUTF8 {
                add($0.count)
                add(UnsafeRawBufferPointer($0))
            }
        }

        /// Feeds a number.
        public func add(_ number: Int) {
            withUnsafeBytes(of: Int64(number).littleEndian) { add($0) }
        }

        /// The fingerprint of what has been fed.
        public var fingerprint: Fingerprint {
            let digest = XXH3_128bits_digest(state)
            return Fingerprint(high: digest.high64, low: digest.low64)
        }
    }
}

extension Gradients {
    /// The fingerprint of the decoded gradients: of their bits, however they were written.
    ///
    /// 1, 1.0 and base64 of it are the same body; 0 and -0.0 are two, for they are different bits. So are a dense
    /// gradient and rows that come to the same sum: the place of one by rows is written as its complement, which is
    /// negative, and the number of rows follows; a dense one is as long as the layout says. Stored in journals and
    /// snapshots: dense pushes have had this form from the beginning.
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
