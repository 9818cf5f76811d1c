// Which step each version was at, and which versions a restore has left behind. A version rises by one with every
// change and the step only with an update, so a short list of turns tells all of it; it is part of the image.

/// The steps of a model's versions, as far back as they are kept.
struct VersionHistory: Equatable {
    /// From `version` on, version and step rise together until the next turn.
    struct Turn: Equatable {
        var version: Int
        var step: Int
        /// The version whose state a restore brought back; nil where the model went on from the version before.
        var source: Int?
    }

    /// The oldest first; never empty.
    private(set) var turns: [Turn]

    /// The history of a model that begins at a version.
    init(version: Int, step: Int) {
        turns = [Turn(version: version, step: step)]
    }

    /// A history as an image holds it; nil for one that cannot be.
    init?(_ turns: [Turn]) {
        guard !turns.isEmpty, zip(turns, turns.dropFirst()).allSatisfy({ $0.version < $1.version }) else { return nil }
        self.turns = turns
    }

    /// What the turns take.
    var bytes: Int { EntryBytes.array(turns) }

    /// What one more takes.
    static let bytesAdded = 2 * MemoryLayout<Turn>.stride

    /// Notes the step that a new version is at.
    mutating func note(version: Int, step: Int) {
        if let last = turns.last, step - last.step == version - last.version { return }
        append(Turn(version: version, step: step))
    }

    /// Notes that a new version brings an earlier state back.
    ///
    /// - Parameter source: the version of that state; nil for the last one of that step.
    mutating func noteReturn(version: Int, step: Int, source: Int?) {
        append(Turn(version: version, step: step, source: source ?? lastVersion(at: step, before: version)))
    }

    private mutating func append(_ turn: Turn) {
        turns.append(turn)
        turns.removeFirst(max(0, turns.count - ServingConfiguration.versionTurns))
    }

    /// The step of a version; that of the oldest turn for what is before it.
    func step(of version: Int) -> Int {
        guard let turn = turns.last(where: { $0.version <= version }) else { return turns[0].step }
        return turn.step + (version - turn.version)
    }

    /// Whether a restore has left the branch that a version is on; `current` is the newest version.
    func hasLeft(_ version: Int, current: Int) -> Bool {
        var newest = current
        for turn in turns.reversed() {
            guard let source = turn.source, turn.version <= newest else { continue }
            if version >= turn.version { break }
            newest = source
        }
        return version > newest
    }

    private func lastVersion(at step: Int, before end: Int) -> Int {
        var end = end
        for turn in turns.reversed() {
            let version = turn.version + (step - turn.step)
            if step >= turn.step, version < end { return version }
            end = turn.version
        }
        return 0
    }
}
