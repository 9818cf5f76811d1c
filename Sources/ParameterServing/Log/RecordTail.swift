// What records of later releases say beside what the first format knew. It is behind everything else, so that a record
// without it has the bytes that it always had; readers of all kinds of records take it from here.

import Journal

/// Optional fields at the end of a record.
struct RecordTail: Equatable {
    private static let formatVersion: UInt8 = 1

    /// The version that a gradient was computed at, where the client named one.
    var basis: Cursor?
    /// The version whose state a restore brings back.
    var source: Int?
    /// The key of the request.
    var key: RequestKey?

    /// The tail as a piece of a record; none where there is nothing to say.
    var bytes: [Bytes] { encoded.isEmpty ? [] : [Bytes(copying: encoded)] }

    /// The tail; empty where there is nothing to say.
    var encoded: [UInt8] {
        if self == RecordTail() { return [] }
        var writer = ByteWriter()
        writer.write(Self.formatVersion)
        writer.write(optional: basis) { writer, cursor in
            writer.write(cursor.uid.number)
            writer.write(cursor.version)
        }
        writer.write(optional: source) { $0.write($1) }
        writer.write(optional: key) { $0.write($1) }
        return writer.bytes
    }
}

extension RecordTail {
    /// Reads what is left of a record.
    init(reading reader: inout ByteReader) throws(FormatError) {
        guard reader.bytesLeft > 0 else { return }
        guard try reader.readByte() == Self.formatVersion else {
            throw FormatError(expected: "a tail of format \(Self.formatVersion)", offset: reader.offset - 1)
        }
        basis = try reader.readOptional { reader throws(FormatError) in
            Cursor(uid: ModelUID(number: try reader.readUInt32()), version: try reader.readInt())
        }
        source = try reader.readOptional { reader throws(FormatError) in try reader.readInt() }
        key = try reader.readOptional { reader throws(FormatError) in try reader.readRequestKey() }
    }
}
