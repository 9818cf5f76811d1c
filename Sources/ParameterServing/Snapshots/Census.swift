// The list of a directory's models, written before part of the journal is deleted. Without it, a model whose snapshots
// are all damaged would be missing after a restart without anyone noticing.

/// The models of a directory at one moment.
struct Census {
    private static let formatVersion: UInt8 = 2

    /// Name by uid.
    var names: [ModelUID: String] = [:]
    /// The answers of creations and deletions with a key.
    var keys: [KeyLedger.Entry] = []

    /// The content of the registry's snapshot.
    var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.write(Self.formatVersion)
        writer.write(names.sorted { $0.key.number < $1.key.number }) { writer, entry in
            writer.write(entry.key.number)
            writer.write(entry.value)
        }
        writer.write(keys)
        return writer.bytes
    }
}

extension Census {
    /// Reads the output of `bytes`; an empty input is a directory's first, empty census.
    init(reading reader: inout ByteReader) throws(FormatError) {
        guard reader.bytesLeft > 0 else { return }
        let format = try reader.readByte()
        guard (1...Self.formatVersion).contains(format) else {
            throw FormatError(expected: "a census of format 1 or 2", offset: reader.offset - 1)
        }
        let entries = try reader.readArray { reader throws(FormatError) in
            (ModelUID(number: try reader.readUInt32()), try reader.readString())
        }
        names = Dictionary(entries, uniquingKeysWith: { first, _ in first })
        if format >= 2 { keys = try reader.readKeys() }
    }
}
