// The findings of opening a journal, for the log line at start and for tests.

/// What an open read, removed and missed.
public struct RecoveryReport: Sendable, Equatable {
    /// Segment files found.
    public internal(set) var segments = 0
    /// Intact records read, whether delivered or not.
    public internal(set) var records: UInt64 = 0
    /// Bytes of records read.
    public internal(set) var bytes = 0
    /// The torn tail that was removed: records whose append never returned.
    ///
    /// `nil` if there was none.
    public internal(set) var tornTail: TornTail?
    /// Positions that snapshots cover but the journal lost; above 0 only after a power cut in a mode that does not wait
    /// for the sync.
    public internal(set) var lostPositions: UInt64 = 0
    /// Positions after the last record that may have been acknowledged before a power cut; above 0 only after a crash
    /// in a mode that does not wait for the sync.
    ///
    /// Numbers that count records must skip this many, and the first record appended should say so.
    public internal(set) var unprovenPositions: UInt64 = 0

    /// Where bytes were removed.
    public struct TornTail: Sendable, Equatable {
        /// The segment file.
        public let file: String
        /// The offset of the first removed byte.
        public let offset: Int
        /// Bytes removed, up to the last nonzero one.
        public let bytes: Int
        /// What was wrong with the first of them.
        public let reason: String
    }
}
