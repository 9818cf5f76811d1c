// Fields that later releases added to the first format of records. They are at the end, so that a record without them
// has the same bytes as before. Readers of all kinds of records read them with this type.

import Journal

/// Optional fields at the end of a record.
struct RecordTail: Equatable {
    /// Format 1 has no sighting.
    private static let formats: ClosedRange<UInt8> = 1...2

    /// The version that a gradient was computed from, if the client named one.
    var basis: Cursor?
    /// The version whose state a restore brings back.
    var source: Int?
    /// The key of the request.
    var key: RequestKey?
    /// When the command was admitted; nil in records of the first releases.
    var sighting: Sighting?

    /// The tail as a piece of a record; empty if there is nothing to write.
    var bytes: [Bytes] { encoded.isEmpty ? [] : [Bytes(copying: encoded)] }

    /// The tail; empty if there is nothing to write.
    var encoded: [UInt8] {
        if self == RecordTail() { return [] }
        var writer = ByteWriter()
        writer.write(sighting == nil ? Self.formats.lowerBound : Self.formats.upperBound)
        writer.write(optional: basis) { writer, cursor in
            writer.write(cursor.uid.number)
            writer.write(cursor.version)
        }
        writer.write(optional: source) { $0.write($1) }
        writer.write(optional: key) { $0.write($1) }
        if let sighting {
            writer.write(sighting.time)
            writer.write(optional: sighting.expires) { $0.write($1) }
        }
        return writer.bytes
    }
}

extension RecordTail {
    /// Reads the rest of a record.
    init(reading reader: inout ByteReader) throws(FormatError) {
        guard reader.bytesLeft > 0 else { return }
        let format = try reader.readByte()
        guard Self.formats.contains(format) else {
            throw FormatError(expected: "a tail of format 1 or 2", offset: reader.offset - 1)
        }
        basis = try reader.readOptional { reader throws(FormatError) in
            Cursor(uid: ModelUID(number: try reader.readUInt32()), version: try reader.readInt())
        }
        source = try reader.readOptional { reader throws(FormatError) in try reader.readInt() }
        key = try reader.readOptional { reader throws(FormatError) in try reader.readRequestKey() }
        if format >= 2 {
            sighting = Sighting(
                time: try reader.readInt(),
                expires: try reader.readOptional { reader throws(FormatError) in try reader.readName() })
        }
    }
}
