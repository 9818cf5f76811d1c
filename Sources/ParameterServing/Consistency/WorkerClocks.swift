// The clocks of mode `ssp`: how many pushes of each worker have been applied. A pull of a worker that is too far ahead
// waits until the slowest has caught up.

import Names

/// By worker, the number of its pushes that have been applied.
struct WorkerClocks: Sendable, Equatable {
    private(set) var clocks: [Name: Int] = [:]
    /// Workers that have left, and still count among those that have pushed.
    private(set) var departed: Set<Name> = []

    init(clocks: [Name: Int] = [:], departed: Set<Name> = []) { (self.clocks, self.departed) = (clocks, departed) }

    /// Its size.
    var bytes: Int {
        clocks.count * EntryBytes.place(Name.self, Int.self) + departed.count * EntryBytes.place(Name.self, Void.self)
    }

    /// Whether nothing is known.
    var isEmpty: Bool { clocks.isEmpty && departed.isEmpty }

    /// Counts a push.
    ///
    /// A worker that comes late, or back, starts with the slowest: the others have not waited for it.
    mutating func tick(_ worker: Name, of workers: Int) {
        let clock = clocks[worker] ?? slowest(of: workers)
        departed.remove(worker)
        clocks[worker] = clock + 1
    }

    /// Forgets the clock of a worker that has left.
    ///
    /// Its name matters only as long as fewer than `workers` have pushed, so that a model whose workers come and go
    /// does not collect their names.
    mutating func leave(_ worker: Name, of workers: Int) {
        guard clocks.removeValue(forKey: worker) != nil else { return }
        if departed.count < min(workers, ServingConfiguration.expiredWorkers) { departed.insert(worker) }
    }

    /// The smallest clock; 0 as long as fewer than `workers` have pushed.
    func slowest(of workers: Int) -> Int {
        clocks.count + departed.count < workers ? 0 : clocks.values.min() ?? 0
    }
}
