// Fields that later releases added to the first format of records. They are at the end, so that a record without them
// has the same bytes as before. Readers of all kinds of records read them with this type.

import Journal
import Optimizers

/// Optional fields at the end of a record.
struct RecordTail: Equatable {
    /// Format 1 has no sighting; format 3 adds fields for rounds, charts and hyperparameters, and may lack one.
    private static let formats: ClosedRange<UInt8> = 1...3

    /// The version that a gradient was computed from, if the client named one.
    var basis: Cursor?
    /// The version whose state a restore brings back.
    var source: Int?
    /// The key of the request.
    var key: RequestKey?
    /// When the command was admitted; nil in records of the first releases.
    var sighting: Sighting?
    /// The number of examples that a gradient was computed from.
    var examples: Int?
    /// Whether a patch changes the consistency; earlier releases logged such patches without a meaning.
    var changesConsistency = false
    /// The metrics that a worker reports with its push.
    var metrics: [Scalar] = []
    /// The hyperparameters for the update of a push.
    var hyperparameters: Hyperparameters?

    /// The checkpoint that a restore brings back, stored in the place of `examples`, which only pushes have.
    var checkpoint: UInt64? {
        get { examples.flatMap { UInt64(exactly: $0) } }
        set { examples = newValue.flatMap { Int(exactly: $0) } }
    }

    /// The tail as a piece of a record; empty if there is nothing to write.
    var bytes: [Bytes] { encoded.isEmpty ? [] : [Bytes(copying: encoded)] }

    /// The tail; empty if there is nothing to write.
    var encoded: [UInt8] {
        if self == RecordTail() { return [] }
        var writer = ByteWriter()
        writer.write(format)
        writer.write(optional: basis) { writer, cursor in
            writer.write(cursor.uid.number)
            writer.write(cursor.version)
        }
        writer.write(optional: source) { $0.write($1) }
        writer.write(optional: key) { $0.write($1) }
        if format >= 3 { writer.write(sighting != nil) }
        if let sighting {
            writer.write(sighting.time)
            writer.write(optional: sighting.expires) { $0.write($1) }
        }
        if format >= 3 {
            writer.write(optional: examples) { $0.write($1) }
            writer.write(changesConsistency)
            writer.write(metrics)
            writer.write(optional: hyperparameters) { $0.write($1.setting) }
        }
        return writer.bytes
    }

    /// The first format that has all fields.
    private var format: UInt8 {
        if examples != nil || changesConsistency || !metrics.isEmpty || hyperparameters != nil { return 3 }
        return sighting == nil ? 1 : 2
    }
}

extension RecordTail {
    /// Reads the rest of a record.
    init(reading reader: inout ByteReader) throws(FormatError) {
        guard reader.bytesLeft > 0 else { return }
        let format = try reader.readByte()
        guard Self.formats.contains(format) else {
            throw FormatError(expected: "a tail of format 1 to 3", offset: reader.offset - 1)
        }
        basis = try reader.readOptional { reader throws(FormatError) in
            Cursor(uid: ModelUID(number: try reader.readUInt32()), version: try reader.readInt())
        }
        source = try reader.readOptional { reader throws(FormatError) in try reader.readInt() }
        key = try reader.readOptional { reader throws(FormatError) in try reader.readRequestKey() }
        let isSighted = format >= 3 ? try reader.readBool() : format == 2
        if isSighted {
            sighting = Sighting(
                time: try reader.readInt(),
                expires: try reader.readOptional { reader throws(FormatError) in try reader.readName() })
        }
        if format >= 3 {
            examples = try reader.readOptional { reader throws(FormatError) in try reader.readInt() }
            changesConsistency = try reader.readBool()
            metrics = try reader.readScalars()
            hyperparameters = try reader.readOptional { reader throws(FormatError) in
                Hyperparameters(try reader.readSetting())
            }
        }
    }
}
