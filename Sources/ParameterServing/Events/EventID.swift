// The place of an event in its feed. The number of an event from a logged command is part of the model's state, so a
// reader can resume after a restart of the daemon.

/// A place in a feed, written `FEED.NUMBER` or `FEED.NUMBER.EXTRA`.
public struct EventID: Sendable, Hashable, Comparable {
    /// The number of events from commands up to here.
    public var number: Int
    /// For an event without a command, such as a checkpoint: its place after that number, which is the time in seconds,
    /// so it does not repeat after a restart.
    public var extra = 0

    /// Makes a place.
    public init(number: Int, extra: Int = 0) {
        self.number = number
        self.extra = extra
    }

    /// Whether one place comes before another.
    public static func < (one: EventID, other: EventID) -> Bool {
        (one.number, one.extra) < (other.number, other.extra)
    }

    /// The place with the feed that it belongs to.
    public func text(in feed: ModelUID) -> String { "\(feed).\(number)\(extra == 0 ? "" : ".\(extra)")" }

    /// Reads the output of `text(in:)`; nil for any other text.
    public static func reading(_ text: some StringProtocol) -> (feed: ModelUID, id: EventID)? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard 2...3 ~= parts.count, let feed = ModelUID(parts[0]), let number = Int(parts[1]), number >= 0 else {
            return nil
        }
        let extra = parts.count == 3 ? Int(parts[2]) : 0
        guard let extra, extra >= 0 else { return nil }
        let id = EventID(number: number, extra: extra)
        return id.text(in: feed) == text ? (feed, id) : nil
    }
}
