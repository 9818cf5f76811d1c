// The checkpoints of a model, including damaged ones: a file that a user relies on is listed with its damage and
// refused by name, but never treated as absent.

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

    /// Makes an entry for an intact file whose label cannot be read.
    init(unlabelled info: SnapshotInfo) {
        id = info.id
        file = "checkpoints/\(info.file)"
        reason = "\(info.file) contains neither step nor version."
        bytes = info.length
    }
}

/// The checkpoints of a model.
public struct CheckpointList: Sendable, Equatable {
    /// The usable checkpoints, judged by their headers and earlier reads, oldest first.
    public private(set) var intact: [CheckpointFacts] = []
    /// The damaged checkpoints, oldest first.
    ///
    /// A file whose model is no longer known is in every model's list.
    public private(set) var damaged: [DamagedCheckpoint] = []

    /// The list of one model; `known` are all existing models.
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

    /// The number of the checkpoint to delete first.
    var oldest: UInt64? { [intact.first?.id, damaged.first?.id].compactMap(\.self).min() }

    /// The description of a checkpoint to be used; nil if there is none with that number.
    ///
    /// - Throws: `fileDamaged`.
    func intact(_ id: UInt64) throws(ServingError) -> CheckpointFacts? {
        if let damage = damaged.first(where: { $0.id == id }) { throw .fileDamaged(reason: damage.reason) }
        return intact.first { $0.id == id }
    }

    /// The description of a checkpoint to be deleted; for a damaged one, its number and size.
    func facts(_ id: UInt64) -> CheckpointFacts? {
        if let damage = damaged.first(where: { $0.id == id }) {
            return CheckpointFacts(id: id, step: 0, version: 0, created: 0, bytes: damage.bytes)
        }
        return intact.first { $0.id == id }
    }
}

extension SnapshotListing {
    /// The number of files, including damaged ones.
    var count: Int { snapshots.count + damaged.count }

    /// The files that can only belong to these models.
    func files(of models: Set<ModelUID>) -> [UInt64] {
        let ofModels = snapshots.filter { $0.kind != DataDirectory.Kind.registry.rawValue }
        return ofModels.filter { models.contains(ModelUID(number: $0.model)) }.map(\.id)
            + damaged.values.filter { $0.isOnly(of: models) }.map(\.id)
    }
}

extension DamagedSnapshot {
    /// The models that parts of the file name, most likely first.
    private var claims: [ModelUID] {
        let header = model.map { ModelUID(number: $0) }
        return (isModelCertain ? [header] : [modelOfImage, header]).compactMap(\.self)
    }

    /// The model in the image at the start of the content.
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

    /// The model that it belongs to; nil if the file names none of the known models.
    func owner(among models: Set<ModelUID>) -> ModelUID? {
        claims.first(where: models.contains)
    }

    /// Whether it can only be a file of these models.
    func isOnly(of models: Set<ModelUID>) -> Bool {
        !claims.isEmpty && claims.allSatisfy(models.contains)
    }
}
