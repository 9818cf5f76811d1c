// The part of a record that can be read without its model: not the tensors. Only this file derives the effect on a
// directory from record types; DirectoryState decides the consequences.

import Journal
import Names

/// The head of a journal record.
enum RecordHead: Equatable {
    /// Creates the `count`-th model of the directory under a name and replaces the model that had it.
    case create(ModelUID, name: Name, count: UInt64)
    /// Deletes a model; the request may have a key.
    case delete(ModelUID, key: RequestKey?)
    /// Applies a command to a model.
    case command(ModelUID, CommandKind)
    /// Records that a salvage gave up a part of the directory.
    case salvage(SalvageRecord)

    /// Reads the head of a stored record.
    ///
    /// - Throws: for an unknown type, which a later release wrote.
    init(of record: StoredRecord) throws(FormatError) {
        let kind = try CommandKind(of: record)
        var reader = ByteReader(record.payload)
        let uid = ModelUID(number: record.model)
        switch kind {
        case .create, .createFromImage, .createWithRound:
            let count = try reader.readUInt64()
            self = .create(uid, name: try reader.readName(), count: count)
        case .delete: self = .delete(uid, key: try RecordTail(reading: &reader).key)
        case .push, .closeRound, .importValues, .importIfVersion, .reconfigure, .register, .registerCounted, .endLeases,
            .dismiss, .restore, .layout, .note, .report:
            self = .command(uid, kind)
        case .salvage: self = .salvage(try SalvageRecord(reading: &reader))
        }
    }
}

extension RecordHead {
    /// Whether the record may change the model.
    func concerns(_ model: ModelUID) -> Bool {
        switch self {
        case .create(let uid, _, _), .delete(let uid, _), .command(let uid, _): uid == model
        case .salvage: true
        }
    }
}

extension Record {
    /// The record that replays to the deletion of a model.
    init(deleting model: ModelUID, key: RequestKey?) {
        self.init(type: CommandKind.delete.rawValue, model: model.number, payload: RecordTail(key: key).bytes)
    }
}

extension CommandKind {
    /// The type of a stored record.
    ///
    /// - Throws: for an unknown type.
    init(of record: StoredRecord) throws(FormatError) {
        guard let kind = CommandKind(rawValue: record.type) else {
            throw FormatError(expected: "a record type that this release knows, not \(record.type)", offset: 0)
        }
        self = kind
    }
}
