// What is known of a damaged snapshot file. SnapshotStore lists it with the others: a file that a user relies on must
// not vanish because one bit is wrong.

/// A snapshot file that cannot be read in full.
public struct DamagedSnapshot: Sendable, Equatable {
    /// Bytes at the start of the content that may tell which model it belongs to.
    private static let beginningBytes = 4096

    /// Its number, from the file's name.
    public let id: UInt64
    /// The file's name in the store's directory.
    public let file: String
    /// The file's size in bytes.
    public private(set) var bytes = 0
    /// What is wrong with it.
    public let reason: JournalError
    /// The model in its header; nil if the file ends before it.
    public private(set) var model: UInt32?
    /// Whether a checksum confirms `model`.
    public private(set) var isModelCertain = false
    /// The start of the content as it is on disk, not confirmed by a checksum.
    public private(set) var beginning: [UInt8] = []

    /// Reads what is left of the file.
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
