// What opening a journal found: for the one log line at start, and for tests.

/// What an open read, dropped and missed.
public struct RecoveryReport: Sendable, Equatable {
    /// Segment files found.
    public internal(set) var segments = 0
    /// Intact records read, delivered or not.
    public internal(set) var records: UInt64 = 0
    /// Bytes of records read.
    public internal(set) var bytes = 0
    /// The torn tail that was dropped: records whose append never returned.
    ///
    /// `nil` if there was none.
    public internal(set) var tornTail: TornTail?
    /// Positions that snapshots cover and the journal lost; more than 0 only after a power cut in a mode that does
    /// not wait for the sync.
    public internal(set) var lostPositions: UInt64 = 0
    /// Positions behind the last record that may have been acknowledged before a power cut took them; more than 0 only
    /// after a crash in a mode that does not wait for the sync.
    ///
    /// Whoever shows numbers that count records leaves out as many, and notes that with the first record it appends.
    public internal(set) var unprovenPositions: UInt64 = 0

    /// Where bytes were dropped.
    public struct TornTail: Sendable, Equatable {
        /// The segment file.
        public let file: String
        /// Offset of the first byte dropped.
        public let offset: Int
        /// Bytes dropped, up to the last that was not zero.
        public let bytes: Int
        /// What was wrong with the first of them.
        public let reason: String
    }
}
