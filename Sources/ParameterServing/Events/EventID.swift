// The place of an event in its feed. The number of a model's event is part of the model's state, so a reader can resume
// after a restart of the daemon.

/// A place in a feed, written `FEED.NUMBER`.
public struct EventID: Sendable, Hashable, Comparable {
    /// The number of events up to here.
    public var number: Int

    /// Makes a place.
    public init(number: Int) { self.number = number }

    /// Whether one place comes before another.
    public static func < (one: EventID, other: EventID) -> Bool { one.number < other.number }

    /// The place with the feed that it belongs to.
    public func text(in feed: ModelUID) -> String { "\(feed).\(number)" }

    /// Reads the output of `text(in:)`; nil for any other text.
    ///
    /// In earlier releases a checkpoint had the number of the event before it, followed by a time.
    public static func reading(_ text: some StringProtocol) -> (feed: ModelUID, id: EventID)? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard 2...3 ~= parts.count, let feed = ModelUID(parts[0]), let number = Int(parts[1]), number >= 0,
            parts.dropFirst(2).allSatisfy({ Int($0).map { $0 > 0 } ?? false })
        else { return nil }
        let id = EventID(number: number)
        return id.text(in: feed) == parts.prefix(2).joined(separator: ".") ? (feed, id) : nil
    }
}
