// How many bytes of records may follow a snapshot before the next one: the fewer snapshots, the less is written beside
// the records themselves; the more records, the longer a start takes and the more disk they use.

/// The bytes logged after a model's last snapshot that make the next one due.
///
///     allowance = max(least, min(8 weight, max(4 weight, 4 GiB), max(2 weight, room / 6)))
///
/// At 8 weights, snapshots add an eighth to what is written. At most 3 allowances of records are kept, and the files
/// of one that wait to be written again: two thirds of the room, which leaves a third to checkpoints, and to others.
struct SnapshotAllowance {
    /// The allowance even if models are small.
    let least: Int
    /// Bytes of all models.
    var weight = 0
    /// Bytes of the disk that are free or have records that models need.
    var room = Int.max

    private static let (most, slow, tight) = (8, 4, 2)
    /// A start that reads more than this takes so long that larger models get a smaller multiple.
    private static let quickBytes = 4 << 30
    private static let shareOfRoom = 6

    init(least: Int) { self.least = least }

    /// The allowance now.
    var bytes: Int {
        let quick = max(Self.slow * weight, Self.quickBytes)
        let roomy = max(Self.tight * weight, room / Self.shareOfRoom)
        return max(least, min(Self.most * weight, quick, roomy))
    }
}
