// A worker's registration on its way into the model, and the counter that its epoch comes from. One counter for all
// workers of a model makes an epoch unique: a name may be forgotten, but its old epochs are still never reused.

import Names

/// A request to register a worker.
struct Registration: Sendable, Equatable {
    /// The worker.
    var worker: Name
    /// The time in milliseconds after which the registration ends unless its worker renews it; nil without a lease.
    var ttl: Int?
    /// Whether the epoch comes from the model's counter; false in records of earlier releases, which counted the
    /// registrations of each worker.
    var isCounted = true
}

extension Registration {
    /// The longest lease that a record can hold, in milliseconds: about a century.
    static let longestTTL = 1 << 42
}

/// A registration that ends; a later registration of the same worker does not.
struct EndedLease: Sendable, Equatable {
    /// The worker.
    var worker: Name
    /// The epoch of the registration.
    var epoch: Int
}

/// The epochs that a model has given to its workers.
struct EpochCounter: Sendable, Equatable {
    /// The highest epoch ever given.
    private(set) var last = 0
    /// The first epoch that came from the counter; nil if all were counted for each worker.
    private(set) var firstCounted: Int?

    /// Makes a counter that has given no epoch.
    init() {}

    /// Makes a counter from an image.
    init(last: Int, firstCounted: Int?) { (self.last, self.firstCounted) = (last, firstCounted) }

    /// The next epoch of the model.
    mutating func next() -> Int {
        last += 1
        firstCounted = firstCounted ?? last
        return last
    }

    /// Records an epoch that an earlier release counted for one worker.
    mutating func note(_ epoch: Int) { last = max(last, epoch) }

    /// Skips epochs that clients may have got, but whose records are lost.
    mutating func skip(_ count: Int) { last += count }

    /// Whether an epoch came from the counter, and so ends for good when its worker is forgotten.
    func hasCounted(_ epoch: Int) -> Bool { firstCounted.map { epoch >= $0 } ?? false }
}
