// The averages of a live model. Their values are in arenas of the model's pool, because pulls read them like a version:
// an update writes the next arena and leaves the last one to those who hold it.

import Names
import Optimizers

/// The averages that a model keeps beside its parameters.
///
/// An average has an arena from the start, so that its first update finds the memory that the definition asked for.
struct ModelAverages {
    private struct Entry {
        var average: Average
        /// The number of updates taken in.
        var updates = 0
        /// The values; before the first update nothing reads them.
        var arena: Arena
    }

    private var entries: [Entry] = []
    private var pool: ArenaPool

    /// Starts averages that have not taken in anything.
    ///
    /// - Throws: `outOfMemory` if the budget has no room for their values; `noMemory`.
    init(_ averages: [Average], _ pool: ArenaPool) throws(ServingError) {
        self.pool = pool
        entries = try averages.map { average throws(ServingError) in
            Entry(average: average, arena: try pool.take())
        }
        pool.expect(averages: entries.count)
    }

    /// The averages as pulls see them.
    var published: [PublishedAverage] {
        entries.map { entry in
            PublishedAverage(
                average: entry.average, updates: entry.updates, arena: entry.updates > 0 ? entry.arena : nil)
        }
    }

    /// The averages that have values, without a copy: a written arena never changes.
    var memories: [AverageMemory] {
        entries.filter { $0.updates > 0 }.map { entry in
            AverageMemory(
                kind: entry.average.kind, updates: entry.updates, buffer: entry.arena.buffer, owner: entry.arena)
        }
    }

    /// The bytes of the averages that other settings add.
    func bytesAdded(by settings: SettingValue) -> Int {
        let kinds = settings["averages"]?.entries.map(\.key) ?? []
        return kinds.filter { kind in !entries.contains { $0.average.kind.name == kind } }.count * pool.bytes
    }

    /// The bytes of the averages in another layout.
    func bytes(as placement: Placement) -> Int { entries.count * placement.count * MemoryLayout<Float>.stride }

    /// The bytes that a restore of another state writes, while pulls may still hold the values of this one.
    var bytesRestored: Int { entries.count { $0.updates > 0 } * pool.bytes }

    /// Takes in the update that brought the model to `step`.
    mutating func takeIn(_ weights: Arena, at step: Int, _ layout: ArenaLayout) {
        for index in entries.indices where entries[index].average.isDue(at: step) {
            let now = entries[index]
            let next = now.updates == 0 ? now.arena : pool.takePromised()
            now.average.update(
                from: now.arena.buffer.base, updates: now.updates, with: weights.buffer.base, to: next.buffer.base,
                layout)
            entries[index].arena = next
            entries[index].updates += 1
        }
    }

    /// Continues with the averages of other settings: one that stays keeps its values, a new one starts empty.
    mutating func follow(_ averages: [Average]) {
        entries = averages.map { average in
            guard var entry = entries.first(where: { $0.average.kind == average.kind }) else {
                return Entry(average: average, arena: pool.takePromised())
            }
            entry.average = average
            return entry
        }
        pool.expect(averages: entries.count)
    }

    /// Moves the averages to the pool of a model that has grown: what the parameters have in addition enters each
    /// average with the value that it has now.
    mutating func move(to next: ArenaPool, _ weights: Arena) {
        for index in entries.indices {
            let (old, arena) = (entries[index].arena, next.takePromised())
            if entries[index].updates > 0 {
                arena.buffer.copy(from: weights.buffer)
                arena.take(old)
            }
            entries[index].arena = arena
        }
        pool = next
    }

    /// Continues from the averages of a state; one that the state lacks starts empty.
    mutating func restore(_ memories: [AverageMemory]) {
        for index in entries.indices {
            if entries[index].updates > 0 { entries[index].arena = pool.takePromised() }
            let memory = memories.first { $0.kind == entries[index].average.kind }
            entries[index].updates = memory?.updates ?? 0
            if let memory { entries[index].arena.buffer.copy(from: memory.buffer) }
        }
    }

    /// As `restore`, in a model that no one has seen, for a caller that fills the buffers itself.
    ///
    /// - Returns: a buffer for each of `memories`.
    mutating func adopt(_ memories: [AverageMemory]) -> [FloatBuffer] {
        memories.map { memory in
            guard let index = entries.firstIndex(where: { $0.average.kind == memory.kind }) else {
                return memory.buffer
            }
            entries[index].updates = memory.updates
            return entries[index].arena.buffer
        }
    }
}

extension SettingValue {
    /// The number of averages in a definition that has been checked.
    var averageCount: Int { self["averages"]?.entries.count ?? 0 }
}
