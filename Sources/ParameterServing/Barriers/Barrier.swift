// The steps of one barrier; `BarrierBoard` decides which of them an arrival takes.

import Names

extension BarrierBoard.Barrier {
    /// The facts about the generation that a worker asks about, if that is over; nil for the open one.
    mutating func pastPassing(of arrival: Arrival) -> BarrierFacts? {
        if let wanted = arrival.generation {
            if wanted == generation - 1 { untold[arrival.worker] = nil }
            guard wanted < generation else { return nil }
            let count = arrival.count
            return BarrierFacts(barrier: arrival.barrier, generation: wanted, count: count, arrived: count)
        }
        guard untold.removeValue(forKey: arrival.worker) != nil else { return nil }
        return BarrierFacts(
            barrier: arrival.barrier, generation: generation - 1, count: previousCount, arrived: previousCount)
    }

    /// Adds an arrival, or another request of a worker that has arrived.
    mutating func add(_ arrival: Arrival, request: Int?, until lapse: UInt64) {
        count = arrival.count
        if arrivals[arrival.worker] == nil {
            order.append(arrival.worker)
            arrivals[arrival.worker] = lapse
        }
        if let request { waiting[request] = arrival.worker }
        hold(arrival.worker, until: max(lapse, arrivals[arrival.worker] ?? 0))
    }

    /// Lets an arrival count until a time.
    mutating func hold(_ worker: Name, until lapse: UInt64) {
        guard arrivals[worker] != nil else { return }
        arrivals[worker] = lapse
        nextLapse = min(nextLapse, lapse)
    }

    /// Ends the open generation and begins the next.
    ///
    /// - Parameters:
    ///   - arrival: the one that ends it; its worker learns of the end from the answer.
    ///   - next: the number of the next generation.
    ///   - end: until when the workers without a waiting request may ask.
    /// - Returns: what the workers are told, and the waiting requests.
    mutating func close(
        _ arrival: Arrival, next: Int, until end: UInt64
    ) -> (facts: BarrierFacts, requests: [Int]) {
        previousCount = arrivals.isEmpty ? arrival.count : count
        let facts = BarrierFacts(
            barrier: arrival.barrier, generation: generation, count: previousCount, arrived: previousCount)
        let told = Set(waiting.values).union([arrival.worker])
        let requests = waiting.keys.sorted()
        untold = [:]
        for worker in order where !told.contains(worker) { untold[worker] = end }
        nextLapse = untold.isEmpty ? .max : end
        generation = next
        (order, arrivals, waiting) = ([], [:], [:])
        return (facts, requests)
    }

    /// Removes an arrival.
    mutating func remove(_ worker: Name) {
        guard arrivals.removeValue(forKey: worker) != nil else { return }
        order.removeAll { $0 == worker }
    }

    /// Removes what no worker has come back for.
    mutating func lapse(at now: UInt64) {
        guard nextLapse <= now else { return }
        arrivals = arrivals.filter { $0.value > now }
        order.removeAll { arrivals[$0] == nil }
        untold = untold.filter { $0.value > now }
        nextLapse = min(arrivals.values.min() ?? .max, untold.values.min() ?? .max)
    }

    /// The facts about the open generation.
    func facts(of name: Name) -> BarrierFacts {
        BarrierFacts(
            barrier: name, generation: generation, count: count, arrived: arrivals.count,
            workers: Array(order.prefix(BarrierFacts.namesTold)))
    }
}
