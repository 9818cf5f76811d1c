// The events that a feed keeps for readers that reconnect, in bounded memory. A model may be updated thousands of times
// per second, and a reader only needs the newest update, so a feed has one update of each model.

import Threading

/// The newest events of a feed.
///
/// 1. Events are added in the order of their ids.
/// 2. A reader at `floor(of:)` or later can get every event of these kinds after its place, except updates that a newer
///    one replaces.
struct EventRing {
    /// The most events other than updates.
    let most: Int
    /// Events up to here may be missing.
    private let beginning: EventID
    /// By kind, the last event that had to make room.
    private var dropped: [ModelEvent.Kind: EventID] = [:]
    /// The place of the last event.
    private(set) var newest: EventID
    /// Events other than updates; the ones before `start` have been dropped.
    private var lasting: [FeedEvent] = []
    private var start = 0
    /// The newest update of each model.
    private var updates: [ModelUID: FeedEvent] = [:]
    /// The places of updates in order, with some that newer ones have replaced.
    private var order: [(id: EventID, uid: ModelUID)] = []
    private var payload = 0

    /// Makes a ring whose readers start at `floor`.
    init(most: Int, floor: EventID) {
        self.most = most
        beginning = floor
        newest = floor
    }

    /// The size in memory.
    var bytes: Int {
        EntryBytes.array(lasting) + EntryBytes.array(order) + payload
            + updates.count * EntryBytes.place(ModelUID.self, FeedEvent.self)
    }

    /// The first place after which no event of these kinds is missing.
    func floor(of kinds: Set<ModelEvent.Kind>) -> EventID {
        kinds.compactMap { dropped[$0] }.reduce(beginning, max)
    }

    /// Adds an event.
    mutating func add(_ entry: FeedEvent) {
        invariant(entry.id > newest, "1: \(entry.id) after \(newest)")
        newest = max(newest, entry.id)
        guard case .update = entry.event else {
            if case .deleted = entry.event { updates[entry.uid] = nil }
            return keep(entry)
        }
        updates[entry.uid] = entry
        order.append((entry.id, entry.uid))
        if order.count > 2 * updates.count + 64 { order.removeAll { updates[$0.uid]?.id != $0.id } }
    }

    private mutating func keep(_ entry: FeedEvent) {
        lasting.append(entry)
        payload += entry.event.bytes
        guard lasting.count - start > most else { return }
        dropped[lasting[start].event.kind] = lasting[start].id
        payload -= lasting[start].event.bytes
        start += 1
        // Moves the others once per `most` events.
        guard start > most else { return }
        lasting.removeFirst(start)
        start = 0
    }

    /// The first events after a place, at most `most`, of the given kinds.
    func entries(after id: EventID, of kinds: Set<ModelEvent.Kind>, atMost most: Int) -> [FeedEvent] {
        let others = lasting[lasting.index(after: id, from: start, \.id)...]
            .lazy.filter { kinds.contains($0.event.kind) }.prefix(most)
        guard kinds.contains(.update) else { return Array(others) }
        let newest = order[order.index(after: id, from: 0, \.id)...].lazy.compactMap { place in
            updates[place.uid].flatMap { $0.id == place.id ? $0 : nil }
        }.prefix(most)
        return Array((Array(others) + Array(newest)).sorted { $0.id < $1.id }.prefix(most))
    }
}

extension Array {
    /// The index of the first element after a place, in an array sorted by place.
    fileprivate func index(after id: EventID, from start: Int, _ place: (Element) -> EventID) -> Int {
        var (low, high) = (start, count)
        while low < high {
            let middle = (low + high) / 2
            if place(self[middle]) > id { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
