// Which models a directory holds, written down before a part of the journal goes. Without it a model whose snapshots
// are all damaged would be missing after a restart, and nobody would know that it had ever been there.

/// The models of a directory at one moment.
struct Census: Equatable {
    private static let formatVersion: UInt8 = 1

    /// Name by uid.
    var names: [ModelUID: String] = [:]

    /// The content of the registry's snapshot.
    var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.write(Self.formatVersion)
        writer.write(names.sorted { $0.key.number < $1.key.number }) { writer, entry in
            writer.write(entry.key.number)
            writer.write(entry.value)
        }
        return writer.bytes
    }
}

extension Census {
    /// Reads what `bytes` gives; nothing at all is a directory's first, empty census.
    init(reading reader: inout ByteReader) throws(FormatError) {
        guard reader.bytesLeft > 0 else { return }
        guard try reader.readByte() == Self.formatVersion else {
            throw FormatError(expected: "a census of format \(Self.formatVersion)", offset: reader.offset - 1)
        }
        let entries = try reader.readArray { reader throws(FormatError) in
            (ModelUID(number: try reader.readUInt32()), try reader.readString())
        }
        names = Dictionary(entries, uniquingKeysWith: { first, _ in first })
    }
}
