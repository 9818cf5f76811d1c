// What a record says before anybody knows the model that it belongs to: the tensors stay unread. The only place that
// looks at record types to tell what they do to a directory; DirectoryState says what follows.

import Journal
import Names

/// The head of a record of the journal.
enum RecordHead: Equatable {
    /// The `count`-th model of the directory is created under a name, which it takes from whoever had it.
    case create(ModelUID, name: Name, count: UInt64)
    /// A model is deleted, by a request that may have a key.
    case delete(ModelUID, key: RequestKey?)
    /// A model is told to do something.
    case command(ModelUID, CommandKind)
    /// A salvage gave up a part of the directory.
    case salvage(SalvageRecord)

    /// Reads the head of a stored record.
    ///
    /// - Throws: for a type that this release does not know too: a later release wrote the record.
    init(of record: StoredRecord) throws(FormatError) {
        let kind = try CommandKind(of: record)
        var reader = ByteReader(record.payload)
        let uid = ModelUID(number: record.model)
        switch kind {
        case .create, .createFromImage:
            let count = try reader.readUInt64()
            self = .create(uid, name: try reader.readName(), count: count)
        case .delete: self = .delete(uid, key: try RecordTail(reading: &reader).key)
        case .push, .importValues, .importIfVersion, .reconfigure, .register, .dismiss, .restore, .note:
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
    /// - Throws: for a type that this release does not know.
    init(of record: StoredRecord) throws(FormatError) {
        guard let kind = CommandKind(rawValue: record.type) else {
            throw FormatError(expected: "a record type that this release knows, not \(record.type)", offset: 0)
        }
        self = kind
    }
}
