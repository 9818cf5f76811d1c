// The journal record of a salvage, or of a start after a crash that may have lost acknowledged records. Clients may
// have seen versions and uids that are gone; the same ETag must never name other content, so all numbers continue
// beyond what was lost. A replay gives the same result.

import Journal
import Optimizers

/// Raises every model's version and the count of models, and says from where on files are complete again.
struct SalvageRecord: Equatable {
    private static let formatVersion: UInt8 = 1
    /// The addition if the loss is unknown: more than a daemon applies in years, and far below the largest exact
    /// integer in JSON.
    static let unknownVersions = 1 << 32
    static let unknownModels: UInt64 = 1 << 20

    /// Added to the version of every model that exists at this point of the journal.
    var versions: Int
    /// Seed and count of the models ever created, including those that may be lost.
    var uids: UIDSource
    /// Lists of models in snapshot files before this number contain models that were given up.
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
    /// Reads the output of `record`.
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
