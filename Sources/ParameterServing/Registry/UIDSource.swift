// Numbers for new models. The first number of a directory is random, so that two directories practically never share
// one; each later number is one higher. Every create record and the registry's own snapshot contain the count.

/// Gives each creation a number that is never reused.
struct UIDSource: Equatable {
    /// The random start of this directory.
    let seed: UInt32
    /// The number of models ever created here.
    private(set) var count: UInt64

    init(seed: UInt32 = .random(in: .min ... .max), count: UInt64 = 0) {
        self.seed = seed
        self.count = count
    }

    /// Reads the registry's snapshot; nil if it is something else.
    init?(label: [UInt8]) {
        let source = try? label.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return UIDSource(seed: try reader.readUInt32(), count: try reader.readUInt64())
        }
        guard let source else { return nil }
        self = source
    }

    /// The seed and the count, for the registry's snapshot.
    var label: [UInt8] {
        var writer = ByteWriter()
        writer.write(seed)
        writer.write(count)
        return writer.bytes
    }

    /// The next number.
    mutating func next() -> ModelUID {
        count += 1
        return ModelUID(number: seed &+ UInt32(truncatingIfNeeded: count))
    }

    /// Counts a creation found in the journal.
    mutating func note(_ count: UInt64) { self.count = max(self.count, count) }
}
