// An event in a feed: what happened, to which model, and the place from which a reader continues.

/// An event with its place and its model.
public struct FeedEvent: Sendable {
    /// Its place in the feed.
    public let id: EventID
    /// The name of its model.
    public let model: String
    /// The uid of its model.
    public let uid: ModelUID
    /// When it happened, in seconds since 1970; nil if its record does not say.
    public let time: Int?
    /// What happened.
    public let event: ModelEvent
}
