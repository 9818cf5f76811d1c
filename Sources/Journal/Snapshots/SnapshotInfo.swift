// What is known of a snapshot without reading its content; SnapshotHeader stores it on disk.

/// A snapshot file: saved state of one model, or a checkpoint of it.
public struct SnapshotInfo: Sendable, Equatable {
    /// The number of the file in its store; reused only if the newest file is deleted before a restart.
    public let id: UInt64
    /// The kind of content, numbered by the caller.
    public let kind: UInt16
    /// The model it belongs to.
    public let model: UInt32
    /// It contains every record before this position: replay continues from here.
    public let position: UInt64
    /// Additional bytes of the caller.
    public let label: [UInt8]
    /// The length of the content in bytes.
    public internal(set) var length: Int

    /// The file's name in the store's directory.
    public var file: String { FileName.snapshot(id) }

    /// The longest label in bytes.
    public static let maximumLabel = 3072
}

/// The snapshots of a store.
public struct SnapshotListing: Sendable, Equatable {
    /// The intact ones by their header, oldest first.
    public var snapshots: [SnapshotInfo] = []
    /// The damaged ones, by id.
    public var damaged: [UInt64: DamagedSnapshot] = [:]
}
