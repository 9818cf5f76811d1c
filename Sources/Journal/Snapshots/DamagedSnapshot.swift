// What is left to say of a snapshot file that does not hold what was written. SnapshotStore lists it beside the others: a
// file that someone counts on must not vanish because a bit of it did.

/// A snapshot file that cannot be read, or of which a part could not.
public struct DamagedSnapshot: Sendable, Equatable {
    /// Bytes of the content that are looked at for whose it is.
    private static let beginningBytes = 4096

    /// Its number, from the file's name.
    public let id: UInt64
    /// The file's name in the store's directory.
    public let file: String
    /// The file's size in bytes.
    public private(set) var bytes = 0
    /// What is wrong with it.
    public let reason: JournalError
    /// The model in its header; nil where the file ends before.
    public private(set) var model: UInt32?
    /// Whether a checksum vouches for `model`.
    public private(set) var isModelCertain = false
    /// How the content begins, as it is on disk: no checksum covers it.
    public private(set) var beginning: [UInt8] = []

    /// Looks at what is left of the file.
    init(_ id: UInt64, _ reason: JournalError, in directory: Directory) {
        self.id = id
        self.reason = reason
        file = FileName.snapshot(id)
        let most = SnapshotHeader.size + Self.beginningBytes
        guard let window = try? ReadWindow(file, in: directory, capacity: most) else { return }
        bytes = window.size
        guard let start = try? window.bytes(0..<min(most, window.size)) else { return }
        beginning = Array(start.dropFirst(SnapshotHeader.size))
        if let header = try? SnapshotHeader(decoding: start, file: file) {
            (model, isModelCertain) = (header.info.model, true)
        } else if start.count >= SnapshotHeader.modelEnd {
            model = start.integer(at: SnapshotHeader.modelEnd - MemoryLayout<UInt32>.size)
        }
    }
}
