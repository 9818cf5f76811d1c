// The journal's settings, with defaults that suit most uses.

/// When an append counts as done.
public enum JournalMode: Sendable, Equatable {
    /// After one sync, shared by all appends that arrived during the previous one.
    case group
    /// After its own sync.
    case sync
    /// After the write; a sync follows within this many milliseconds. A power cut loses at most that much.
    case interval(milliseconds: Int)
    /// After the write; the system syncs at its discretion. Survives only a crash of the process.
    case none

    /// Whether an acknowledged record survives a power cut.
    var waitsForSync: Bool { self == .group || self == .sync }
}

/// How the journal writes.
public struct JournalSettings: Sendable, Equatable {
    /// When an append counts as done.
    public var mode: JournalMode
    /// The size of a segment file in bytes; a longer record or batch gets a segment of its own size.
    public var segmentBytes: Int
    /// The most bytes that one sync covers, unless a single record is longer.
    public var batchBytes: Int
    /// Pieces of at least this many bytes that are on pages of memory are written past the page cache, where an append
    /// waits for a sync.
    public var directBytes: Int

    /// Makes settings; a segment has at least 4 KiB.
    public init(
        mode: JournalMode = .group, segmentBytes: Int = 64 << 20, batchBytes: Int = 8 << 20, directBytes: Int = 1 << 20
    ) {
        self.mode = mode
        self.segmentBytes = max(segmentBytes, 4096)
        self.batchBytes = batchBytes
        self.directBytes = directBytes
    }

    /// The size from which a piece is written past the page cache; nil if none is.
    var leastDirect: Int? { mode.waitsForSync ? directBytes : nil }
}
