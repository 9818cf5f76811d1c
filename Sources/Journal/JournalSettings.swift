// The journal's settings, each with the value that is right unless measured otherwise.

/// When an append counts as done.
public enum JournalMode: Sendable, Equatable {
    /// After one sync shared by all that arrived during the previous one.
    case group
    /// After a sync of its own.
    case sync
    /// After the write; a sync follows within that many milliseconds. A power cut loses at most that much.
    case interval(milliseconds: Int)
    /// After the write; the system syncs when it likes. Only a crash of the process is survived.
    case none

    /// Whether an acknowledged record survives a power cut.
    var waitsForSync: Bool { self == .group || self == .sync }
}

/// How the journal writes.
public struct JournalSettings: Sendable, Equatable {
    /// When an append counts as done.
    public var mode: JournalMode
    /// Size of a segment file in bytes; a record or batch that is longer gets a segment of its own size.
    public var segmentBytes: Int
    /// Most bytes that one sync covers, unless a single record is longer.
    public var batchBytes: Int

    /// Settings; a segment has at least 4 KiB.
    public init(mode: JournalMode = .group, segmentBytes: Int = 64 << 20, batchBytes: Int = 8 << 20) {
        self.mode = mode
        self.segmentBytes = max(segmentBytes, 4096)
        self.batchBytes = batchBytes
    }
}
