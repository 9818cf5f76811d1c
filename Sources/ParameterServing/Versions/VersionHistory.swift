// The step of each version, and the versions that a restore has abandoned. A version rises by one with every change and
// the step only with an update, so a short list of turns is enough; it is part of the image.

/// The steps of a model's versions, as far back as they are kept.
struct VersionHistory: Equatable {
    /// From `version` on, version and step rise together until the next turn.
    struct Turn: Equatable {
        var version: Int
        var step: Int
        /// The version whose state a restore brought back; nil if the model continued from the previous version.
        var source: Int?
    }

    /// The oldest first; never empty.
    private(set) var turns: [Turn]

    /// Makes the history of a model that starts at a version.
    init(version: Int, step: Int) {
        turns = [Turn(version: version, step: step)]
    }

    /// Makes a history from an image; nil if it is impossible.
    init?(_ turns: [Turn]) {
        guard !turns.isEmpty, zip(turns, turns.dropFirst()).allSatisfy({ $0.version < $1.version }) else { return nil }
        self.turns = turns
    }

    /// The size of the turns in memory.
    var bytes: Int { EntryBytes.array(turns) }

    /// The size of one more turn.
    static let bytesAdded = 2 * MemoryLayout<Turn>.stride

    /// Records the step of a new version.
    mutating func note(version: Int, step: Int) {
        if let last = turns.last, step - last.step == version - last.version { return }
        append(Turn(version: version, step: step))
    }

    /// Records that a new version restores an earlier state.
    ///
    /// - Parameter source: the version of that state; nil for the last one at that step.
    mutating func noteReturn(version: Int, step: Int, source: Int?) {
        append(Turn(version: version, step: step, source: source ?? lastVersion(at: step, before: version)))
    }

    private mutating func append(_ turn: Turn) {
        turns.append(turn)
        turns.removeFirst(max(0, turns.count - ServingConfiguration.versionTurns))
    }

    /// The step of a version; for versions before the oldest turn, the step of that turn.
    func step(of version: Int) -> Int {
        guard let turn = turns.last(where: { $0.version <= version }) else { return turns[0].step }
        return turn.step + (version - turn.version)
    }

    /// The step to which a restore returned that abandoned the branch of a version; nil if none has.
    ///
    /// - Parameter current: the newest version.
    func stepOfReturn(leaving version: Int, current: Int) -> Int? {
        var (newest, step) = (current, step(of: current))
        for turn in turns.reversed() {
            guard let source = turn.source, turn.version <= newest else { continue }
            if version >= turn.version { break }
            (newest, step) = (source, turn.step)
        }
        return version > newest ? step : nil
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

extension ByteWriter {
    mutating func write(_ history: VersionHistory) {
        write(history.turns) { writer, turn in
            writer.write(turn.version)
            writer.write(turn.step)
            writer.write(optional: turn.source) { $0.write($1) }
        }
    }
}

extension ByteReader {
    /// Reads the output of `write(_: VersionHistory)`.
    mutating func readHistory() throws(FormatError) -> VersionHistory {
        let turns = try readArray { reader throws(FormatError) in
            VersionHistory.Turn(
                version: try reader.readInt(), step: try reader.readInt(),
                source: try reader.readOptional { reader throws(FormatError) in try reader.readInt() })
        }
        guard let history = VersionHistory(turns) else {
            throw FormatError(expected: "versions that rise", offset: offset)
        }
        return history
    }
}
