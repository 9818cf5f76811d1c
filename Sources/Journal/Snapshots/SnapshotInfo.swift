// What is known of a snapshot without reading its content; SnapshotHeader keeps it on disk.

/// A snapshot file: named state of one model, or a checkpoint of it.
public struct SnapshotInfo: Sendable, Equatable {
    /// Number of the file in its store; used again only when the newest file is deleted before a restart.
    public let id: UInt64
    /// What the content is, in the caller's numbering.
    public let kind: UInt16
    /// The model it belongs to.
    public let model: UInt32
    /// Every record before this position is contained in it: replay goes on from here.
    public let position: UInt64
    /// The caller's own bytes about it.
    public let label: [UInt8]
    /// Length of the content in bytes.
    public internal(set) var length: Int

    /// The file's name in the store's directory.
    public var file: String { FileName.snapshot(id) }

    /// Longest label in bytes.
    public static let maximumLabel = 3072
}

/// The snapshots of a store.
public struct SnapshotListing: Sendable, Equatable {
    /// Those with an intact header, oldest first.
    public var snapshots: [SnapshotInfo] = []
    /// The others, by id.
    public var damaged: [UInt64: DamagedSnapshot] = [:]
}
