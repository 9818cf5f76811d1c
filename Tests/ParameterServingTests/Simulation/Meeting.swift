// What the clients know of a barrier. It is in the daemon's memory only, so that workers arrive again after a start; each
// names the generation that it means.

/// The generations of a barrier.
struct Meeting {
    /// By generation, the workers that have arrived, as far as their clients know.
    private var arrived: [Int: Set<Int>] = [:]
    /// The newest generation that a worker was told is over.
    private(set) var passed = 0

    /// Whether a worker has arrived at the open generation.
    var isOpen: Bool { arrived[passed + 1]?.isEmpty == false }

    /// Records that a worker has asked to arrive.
    mutating func arrive(_ worker: Int, at generation: Int) { arrived[generation, default: []].insert(worker) }

    /// Takes a worker that has left, or has withdrawn, out of what is open.
    mutating func leave(_ worker: Int) {
        for generation in arrived.keys where generation > passed { arrived[generation]?.remove(worker) }
    }

    /// Forgets all arrivals: a daemon that starts knows of none.
    mutating func restart() { arrived = [:] }

    /// Records that a worker was told that a generation is over.
    ///
    /// - Returns: what is wrong with that.
    mutating func pass(_ generation: Int) -> String? {
        guard generation > passed else { return nil }
        let present = arrived[generation, default: []]
        passed = generation
        if present.count == RoundStory.workers { return nil }
        return "generation \(generation) of the barrier is over, and only \(present.sorted()) have arrived"
    }
}
