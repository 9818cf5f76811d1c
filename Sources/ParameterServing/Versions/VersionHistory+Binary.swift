// The branch history on disk, from image format 2 on: without it a restart would forget which versions a restore
// abandoned.

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
