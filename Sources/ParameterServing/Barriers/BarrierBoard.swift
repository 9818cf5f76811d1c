// Who has arrived at which barrier. A state machine without threads and clocks: arrivals go in with their time, and it
// returns who is released. It is in memory only: a barrier has no result that a restart could lose, because its workers
// arrive again.

import Names
import Threading

/// A worker's arrival at a barrier.
public struct Arrival: Sendable, Equatable {
    /// The barrier.
    public var barrier: Name
    /// The worker.
    public var worker: Name
    /// The number of workers that the barrier waits for.
    public var count: Int
    /// The generation of the barrier that the worker means, from 1; nil for the open one.
    public var generation: Int?

    /// Makes an arrival from its parts.
    public init(barrier: Name, worker: Name, count: Int, generation: Int? = nil) {
        (self.barrier, self.worker, self.count, self.generation) = (barrier, worker, count, generation)
    }
}

/// The state of a barrier in an answer to one of its workers.
public struct BarrierFacts: Sendable, Equatable {
    /// The barrier.
    public let barrier: Name
    /// The generation that the answer is about, from 1.
    public let generation: Int
    /// The number of workers that it waits for.
    public let count: Int
    /// The number of workers that have arrived.
    public let arrived: Int
    /// The first of them, in order of arrival; empty for a generation that is over.
    public var workers: [Name] = []
    /// The most workers that an answer names.
    public static let namesTold = 100
    /// Whether all have arrived.
    public var isReleased: Bool { arrived > 0 && arrived >= count }
    /// How long the arrival counts without another request; nil for a generation that is over, and for a reader.
    public var heldFor: Duration?
}

/// The barriers of a model.
///
/// 1. A worker has arrived at most once at each barrier, however many of its requests wait there.
/// 2. A barrier is never left open with as many arrivals as it waits for.
struct BarrierBoard {
    /// The result of an arrival.
    struct Turn: Equatable {
        /// The generation that is over for the worker that arrives; nil if it must wait.
        var passed: BarrierFacts?
        /// A generation that the arrival ends, and the other requests that wait for it.
        var ended: (facts: BarrierFacts, requests: [Int])?

        static func == (one: Turn, other: Turn) -> Bool {
            one.passed == other.passed && one.ended?.facts == other.ended?.facts
                && one.ended?.requests == other.ended?.requests
        }
    }

    /// A barrier with its open generation.
    struct Barrier {
        var generation: Int
        var count = 0
        /// The workers that have arrived, in order.
        var order: [Name] = []
        /// When each of these arrivals lapses, in nanoseconds; `.max` while a request of the worker waits.
        var arrivals: [Name: UInt64] = [:]
        /// The waiting requests.
        var waiting: [Int: Name] = [:]
        /// Workers of the previous generation that do not know yet that it is over, and until when they may ask.
        var untold: [Name: UInt64] = [:]
        var previousCount = 0
        /// Nothing lapses before this time.
        var nextLapse = UInt64.max

        var isIdle: Bool { arrivals.isEmpty && untold.isEmpty }
        var entries: Int { arrivals.count + waiting.count + untold.count }
    }

    private static let barrierBytes = EntryBytes.place(Name.self, Barrier.self) + longestName
    private static let entryBytes = EntryBytes.place(Name.self, UInt64.self) + longestName
    private static let longestName = 160

    let most: Int
    let mostEntries: Int
    /// How long an arrival counts without a waiting request, in nanoseconds.
    let hold: UInt64
    private(set) var barriers: [Name: Barrier] = [:]
    /// The number of arrivals and requests at all barriers.
    private(set) var entries = 0

    init(_ configuration: ServingConfiguration) {
        most = configuration.mostBarriers
        mostEntries = configuration.mostAtBarriers
        hold = configuration.barrierHold.nanoseconds
    }

    /// The size in memory, with names as long as they may be.
    var bytes: Int { barriers.count * Self.barrierBytes + entries * Self.entryBytes }

    /// The largest size that an arrival adds.
    static let bytesAdded = barrierBytes + 3 * entryBytes

    // MARK: Arrivals

    /// Takes an arrival.
    ///
    /// - Parameters:
    ///   - arrival: who arrives where.
    ///   - request: identifies the request that waits for the others; nil for one that does not wait.
    ///   - refusal: thrown if it would have to wait; nil if it may.
    ///   - now: nanoseconds of the monotonic clock.
    /// - Throws: `barrierDiffers` for a count other than that of the workers who have arrived, `tooManyBarriers`,
    ///   `tooManyAtBarriers`.
    mutating func arrive(
        _ arrival: Arrival, request: Int?, orElse refusal: ServingError? = nil, at now: UInt64
    ) throws(ServingError) -> Turn {
        var barrier = try barrier(for: arrival, at: now)
        var turn = Turn(passed: barrier.pastPassing(of: arrival))
        if turn.passed == nil {
            if let next = arrival.generation, next > barrier.generation {
                // A worker in a later generation proves that the earlier one is over, whatever this daemon has seen.
                turn.ended = barrier.close(arrival, next: next, until: now + hold)
            }
            try check(arrival, against: barrier, orElse: refusal)
            barrier.add(arrival, request: request, until: request == nil ? now + hold : .max)
            if barrier.arrivals.count >= arrival.count {
                let ended = barrier.close(arrival, next: barrier.generation + 1, until: now + hold)
                turn = Turn(passed: ended.facts, ended: (ended.facts, ended.requests.filter { $0 != request }))
            }
        }
        store(barrier, as: arrival.barrier)
        return turn
    }

    /// Refuses what the barrier cannot take.
    private func check(
        _ arrival: Arrival, against barrier: Barrier, orElse refusal: ServingError?
    ) throws(ServingError) {
        if !barrier.arrivals.isEmpty, barrier.count != arrival.count {
            throw .barrierDiffers(arrival.barrier, asked: arrival.count, open: barrier.count)
        }
        let arrived = barrier.arrivals.count + (barrier.arrivals[arrival.worker] == nil ? 1 : 0)
        // The last worker does not wait.
        guard arrived < arrival.count else { return }
        if let refusal { throw refusal }
        if entries + 2 > mostEntries { throw .tooManyAtBarriers(limit: mostEntries) }
    }

    /// The barrier of that name without what has lapsed, or a new one; an idle one makes room for it.
    private mutating func barrier(for arrival: Arrival, at now: UInt64) throws(ServingError) -> Barrier {
        if var barrier = barriers[arrival.barrier] {
            barrier.lapse(at: now)
            store(barrier, as: arrival.barrier)
            return barrier
        }
        if barriers.count >= most { makeRoom(at: now) }
        guard barriers.count < most else { throw .tooManyBarriers(limit: most) }
        return Barrier(generation: arrival.generation ?? 1)
    }

    private mutating func makeRoom(at now: UInt64) {
        for name in barriers.keys.sorted() {
            guard var barrier = barriers[name] else { continue }
            barrier.lapse(at: now)
            store(barrier, as: name)
            if barrier.isIdle { barriers[name] = nil }
        }
    }

    private mutating func store(_ barrier: Barrier, as name: Name) {
        entries += barrier.entries - (barriers[name]?.entries ?? 0)
        barriers[name] = barrier
        invariant(barrier.arrivals.count == barrier.order.count, "1: a worker has arrived at \(name) twice")
        invariant(barrier.isIdle || barrier.arrivals.count < max(1, barrier.count), "2: \(name) stays closed")
    }

    // MARK: Requests that end

    /// Ends a request whose time is up: its arrival counts a little longer.
    ///
    /// - Returns: the open generation.
    mutating func giveUp(_ request: Int, at name: Name, now: UInt64) -> BarrierFacts {
        if var barrier = barriers[name], let worker = barrier.waiting.removeValue(forKey: request) {
            if !barrier.waiting.values.contains(worker) { barrier.hold(worker, until: now + hold) }
            store(barrier, as: name)
        }
        return facts(of: name)
    }

    /// The open generation of a barrier, for a reader.
    mutating func open(_ name: Name, at now: UInt64) -> BarrierFacts {
        guard var barrier = barriers[name] else { return Barrier(generation: 1).facts(of: name) }
        barrier.lapse(at: now)
        store(barrier, as: name)
        return barrier.facts(of: name)
    }

    /// The open generation of a barrier, for a worker that has stopped waiting.
    func facts(of name: Name) -> BarrierFacts {
        var facts = (barriers[name] ?? Barrier(generation: 1)).facts(of: name)
        facts.heldFor = .nanoseconds(Int64(clamping: hold))
        return facts
    }

    /// Withdraws the arrival of a request whose client has left, unless another request of the worker waits.
    @discardableResult
    mutating func withdraw(_ request: Int, at name: Name) -> BarrierFacts {
        if var barrier = barriers[name], let worker = barrier.waiting.removeValue(forKey: request) {
            if !barrier.waiting.values.contains(worker) { barrier.remove(worker) }
            store(barrier, as: name)
        }
        return (barriers[name] ?? Barrier(generation: 1)).facts(of: name)
    }

    /// Takes a worker that has left out of all barriers.
    ///
    /// - Returns: its waiting requests.
    mutating func leave(_ worker: Name) -> [Int] {
        var requests: [Int] = []
        for (name, found) in barriers where found.arrivals[worker] != nil || found.untold[worker] != nil {
            var barrier = found
            requests += barrier.waiting.filter { $0.value == worker }.keys
            barrier.waiting = barrier.waiting.filter { $0.value != worker }
            barrier.untold[worker] = nil
            barrier.remove(worker)
            store(barrier, as: name)
        }
        return requests.sorted()
    }
}
