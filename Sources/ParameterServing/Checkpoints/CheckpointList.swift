// Which checkpoints a model has, damaged ones among them: a file that someone counts on is listed with what is wrong with
// it, and refused by name, but it never counts as absent.

import Journal

/// A checkpoint that cannot be used.
public struct DamagedCheckpoint: Sendable, Equatable {
    /// Its number, from the file's name.
    public let id: UInt64
    /// The file in the data directory.
    public let file: String
    /// What is wrong with it, in a sentence.
    public let reason: String
    /// The file's size in bytes.
    public let bytes: Int

    init(_ damage: DamagedSnapshot) {
        id = damage.id
        file = "checkpoints/\(damage.file)"
        reason = "\(damage.reason)"
        bytes = damage.bytes
    }

    /// A file whose bytes are intact and whose label says nothing.
    init(unlabelled info: SnapshotInfo) {
        id = info.id
        file = "checkpoints/\(info.file)"
        reason = "\(info.file) contains neither step nor version."
        bytes = info.length
    }
}

/// The checkpoints of a model.
public struct CheckpointList: Sendable, Equatable {
    /// Those that can be used as far as their headers and earlier reads tell, oldest first.
    public private(set) var intact: [CheckpointFacts] = []
    /// The others, oldest first.
    ///
    /// A file that does not tell any more whose it is belongs to every model's list.
    public private(set) var damaged: [DamagedCheckpoint] = []

    /// The list of one model; `known` are all models that there are.
    init(of uid: ModelUID, in listing: SnapshotListing, known: () -> Set<ModelUID>) {
        for info in listing.snapshots where info.model == uid.number {
            let facts = CheckpointFacts(info)
            if let facts { intact.append(facts) } else { damaged.append(.init(unlabelled: info)) }
        }
        guard !listing.damaged.isEmpty else { return }
        let known = known()
        damaged += listing.damaged.values.filter { $0.owner(among: known) ?? uid == uid }.map { .init($0) }
        damaged.sort { $0.id < $1.id }
    }

    var count: Int { intact.count + damaged.count }

    /// The number of the one that is to go first.
    var oldest: UInt64? { [intact.first?.id, damaged.first?.id].compactMap(\.self).min() }

    /// What is known of a checkpoint that is to be used; nil where there is none of that number.
    ///
    /// - Throws: `fileDamaged`.
    func intact(_ id: UInt64) throws(ServingError) -> CheckpointFacts? {
        if let damage = damaged.first(where: { $0.id == id }) { throw .fileDamaged(reason: damage.reason) }
        return intact.first { $0.id == id }
    }

    /// What is known of a checkpoint that is to go: of a damaged one, its number and size.
    func facts(_ id: UInt64) -> CheckpointFacts? {
        if let damage = damaged.first(where: { $0.id == id }) {
            return CheckpointFacts(id: id, step: 0, version: 0, created: 0, bytes: damage.bytes)
        }
        return intact.first { $0.id == id }
    }
}

extension SnapshotListing {
    /// Files, damaged ones too.
    var count: Int { snapshots.count + damaged.count }

    /// The files that can only belong to these models.
    func files(of models: Set<ModelUID>) -> [UInt64] {
        let ofModels = snapshots.filter { $0.kind != DataDirectory.Kind.registry.rawValue }
        return ofModels.filter { models.contains(ModelUID(number: $0.model)) }.map(\.id)
            + damaged.values.filter { $0.isOnly(of: models) }.map(\.id)
    }
}

extension DamagedSnapshot {
    /// The models that parts of the file name, the likeliest first.
    private var claims: [ModelUID] {
        let header = model.map { ModelUID(number: $0) }
        return (isModelCertain ? [header] : [modelOfImage, header]).compactMap(\.self)
    }

    /// The model in the image that the content begins with.
    private var modelOfImage: ModelUID? {
        beginning.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            do throws(FormatError) {
                _ = try reader.readInt()
                return try ImageHead.identity(reading: &reader).uid
            } catch {
                return nil
            }
        }
    }

    /// The model that it belongs to; nil where the file names none of them.
    func owner(among models: Set<ModelUID>) -> ModelUID? {
        claims.first(where: models.contains)
    }

    /// Whether it can only be a file of these models.
    func isOnly(of models: Set<ModelUID>) -> Bool {
        !claims.isEmpty && claims.allSatisfy(models.contains)
    }
}
