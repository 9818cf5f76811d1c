// What a salvage leaves in the journal, and a start after a crash that may have taken acknowledged records. Clients may
// have seen versions and uids that are gone now; the same ETag must never name other content, so everything goes on
// beyond whatever was lost. A replay decides the same.

import Journal
import Optimizers

/// Raises every model's version and the count of models, and says from where on files count as complete again.
struct SalvageRecord: Equatable {
    private static let formatVersion: UInt8 = 1
    /// What is added where no one can tell how much was lost: beyond what a daemon applies in years, and far from the
    /// end of what JSON readers hold exactly.
    static let unknownVersions = 1 << 32
    static let unknownModels: UInt64 = 1 << 20

    /// Added to the version of every model that there is at this point of the journal.
    var versions: Int
    /// Seed and count of the models ever created, those that may be lost included.
    var uids: UIDSource
    /// A list of models in a snapshot file before this number speaks of models that were given up.
    var firstTrustedSnapshot: UInt64

    /// The record, which belongs to no model.
    var record: Record {
        var writer = ByteWriter()
        writer.write(Self.formatVersion)
        writer.write(versions)
        writer.write(uids.seed)
        writer.write(uids.count)
        writer.write(firstTrustedSnapshot)
        return Record(type: CommandKind.salvage.rawValue, payload: [Bytes(copying: writer.bytes)])
    }
}

extension SalvageRecord {
    /// Reads what `record` wrote.
    init(reading reader: inout ByteReader) throws(FormatError) {
        guard try reader.readByte() == Self.formatVersion else {
            throw FormatError(expected: "a salvage record of format \(Self.formatVersion)", offset: reader.offset - 1)
        }
        versions = try reader.readInt()
        guard versions >= 0 else { throw FormatError(expected: "a number of versions", offset: reader.offset - 8) }
        uids = UIDSource(seed: try reader.readUInt32(), count: try reader.readUInt64())
        firstTrustedSnapshot = try reader.readUInt64()
    }
}
