// The counters of the server. Each loop has its own; the server adds them up on request.

/// The counters at one moment, summed over the loops.
public struct HTTPCounters: Sendable, Equatable {
    /// All counters at zero.
    public init() {}

    /// Open connections.
    public internal(set) var connections = 0
    /// Requests whose connection is suspended until their answer is ready.
    public internal(set) var parked = 0
    /// Connections accepted since the start.
    public internal(set) var accepted = 0
    /// Requests whose first line has been read since the start.
    public internal(set) var requests = 0
    /// Answers with a status from 400 to 499 since the start.
    public internal(set) var clientErrors = 0
    /// Answers with a status from 500 since the start.
    public internal(set) var serverErrors = 0
    /// Bytes of request bodies since the start.
    public internal(set) var receivedBytes = 0
    /// Bytes of answers' content since the start, counted when queued; those of streams when sent.
    public internal(set) var queuedBytes = 0

    /// The longest time that a single job has occupied a network thread, in nanoseconds of CPU time.
    public internal(set) var longestJob: UInt64 = 0

    mutating func count(_ response: Response, isHead: Bool = false) {
        if response.status >= 500 { serverErrors += 1 } else if response.status >= 400 { clientErrors += 1 }
        if case .stream = response.body { return }
        if isHead { return }
        queuedBytes += response.body.count
    }

    static func + (one: HTTPCounters, other: HTTPCounters) -> HTTPCounters {
        var sum = one
        sum.connections += other.connections
        sum.parked += other.parked
        sum.accepted += other.accepted
        sum.requests += other.requests
        sum.clientErrors += other.clientErrors
        sum.serverErrors += other.serverErrors
        sum.receivedBytes += other.receivedBytes
        sum.queuedBytes += other.queuedBytes
        sum.longestJob = max(sum.longestJob, other.longestJob)
        return sum
    }
}
