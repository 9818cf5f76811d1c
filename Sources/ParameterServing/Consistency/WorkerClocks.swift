// The clocks of mode `ssp`: an applied push advances the clock of its worker by one. A pull of a worker that is too far
// ahead waits until the slowest has caught up.

import Names

/// By worker, its clock: the number of its applied pushes, plus the clock that it started at.
///
/// The first workers start at 0. One that joins later, or comes back, starts at the slowest clock.
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
    /// A worker that joins late, or comes back, starts at the slowest clock: the others have not waited for it.
    mutating func tick(_ worker: Name, of workers: Int) {
        let clock = clocks[worker] ?? slowest(of: workers)
        departed.remove(worker)
        clocks[worker] = clock + 1
    }

    /// Forgets the clock of a worker that has left, so that no other waits for it.
    ///
    /// Its name matters only as long as fewer than `workers` have pushed, so that a model whose workers come and go
    /// does not collect their names.
    ///
    /// - Parameters:
    ///   - worker: its name.
    ///   - wasRegistered: whether its registration has ended; then it leaves a place even if it has never pushed.
    ///   - workers: the number of workers that are expected.
    mutating func leave(_ worker: Name, wasRegistered: Bool, of workers: Int) {
        guard clocks.removeValue(forKey: worker) != nil || wasRegistered else { return }
        if departed.count < min(workers, ServingConfiguration.expiredWorkers) { departed.insert(worker) }
    }

    /// The smallest clock; 0 as long as fewer than `workers` have pushed or left.
    func slowest(of workers: Int) -> Int {
        clocks.count + departed.count < workers ? 0 : clocks.values.min() ?? 0
    }
}
