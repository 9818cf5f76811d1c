// The moment at which a model heard of a worker. It is part of the logged command, so that a replay of the log knows as much
// of age as the first run did.

/// When a command was admitted.
struct Sighting: Sendable, Equatable {
    /// Seconds since 1970.
    var time: Int
}
