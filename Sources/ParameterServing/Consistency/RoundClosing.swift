// The settlement of a round that no push causes: asked for by a request, or proposed by the timer at its deadline.

/// Close the open round, or drop it.
struct RoundClosing: Sendable, Equatable {
    /// What to do with the pushes that it holds.
    enum Action: UInt8 {
        /// They are one update.
        case update = 0
        /// They are forgotten.
        case drop = 1
    }

    /// The number of the round to settle; nil for the one that is open at that time.
    var round: Int?
    var action: Action
}

extension ByteReader {
    /// Reads the settlement of a round.
    mutating func readRoundClosing() throws(FormatError) -> RoundClosing {
        let round = try readOptional { reader throws(FormatError) in try reader.readInt() }
        guard let action = RoundClosing.Action(rawValue: try readByte()) else {
            throw FormatError(expected: "how a round is settled", offset: offset - 1)
        }
        return RoundClosing(round: round, action: action)
    }
}
