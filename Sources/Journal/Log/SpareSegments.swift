// Files of segments that are not needed any more, kept to be written again: the first sync of a new file also has to
// record where its blocks are, which costs more than writing them. The keeper's thread adds, the journal's takes.

import Threading

/// The files that the next segments are written into.
///
/// They have names that a start removes. A file is here only once its loss of a segment's name is durable: only then
/// may its content change.
final class SpareSegments: Sendable {
    private struct Spare {
        let name: String
        let size: Int
    }

    /// The smallest file worth keeping.
    private let leastSize: Int
    private let directory: Directory
    /// Oldest first.
    private let spares = Locked<[Spare]>([])

    init(in directory: Directory, leastSize: Int) {
        self.directory = directory
        self.leastSize = leastSize
    }

    /// Takes a segment's name away: keeps its file under another, or removes it if it is short or has more names.
    ///
    /// - Returns: The other name.
    func retire(_ number: UInt64) throws(SystemError) -> String? {
        let name = FileName.segment(number)
        guard isWorthKeeping(name) else {
            try directory.remove(name)
            return nil
        }
        try directory.rename(name, to: FileName.spare(number))
        return FileName.spare(number)
    }

    /// Adds files whose names are durable, and removes older ones that were not needed since the last time.
    func add(_ names: [String]) {
        let added = names.compactMap { name in size(of: name).map { Spare(name: name, size: $0) } }
        let surplus = spares.withLock { spares in
            let surplus = spares.prefix(max(0, spares.count - added.count))
            spares = spares.dropFirst(surplus.count) + added
            return surplus
        }
        for spare in surplus { try? directory.remove(spare.name) }
    }

    /// Whether there is a file of at least this size.
    func has(_ size: Int) -> Bool { spares.withLock { $0.contains { $0.size >= size } } }

    /// Opens the smallest file of at least this size; nil if there is none.
    func take(_ size: Int) -> SegmentFile? {
        while let spare = takeFirst(size) {
            if let file = try? SegmentFile(recycling: spare.name, size: spare.size, in: directory) { return file }
            try? directory.remove(spare.name)
        }
        return nil
    }

    private func takeFirst(_ size: Int) -> Spare? {
        spares.withLock { spares in
            let fitting = spares.indices.filter { spares[$0].size >= size }
            return fitting.min { spares[$0].size < spares[$1].size }.map { spares.remove(at: $0) }
        }
    }

    /// Removes all files.
    func discardAll() {
        let all = spares.withLock { spares in
            defer { spares = [] }
            return spares
        }
        for spare in all { try? directory.remove(spare.name) }
    }

    /// A file with more than one name is someone's copy.
    private func isWorthKeeping(_ name: String) -> Bool {
        guard let file = try? directory.open(name, .read) else { return false }
        defer { directory.disk.close(file) }
        guard let links = try? directory.disk.links(file), links == 1 else { return false }
        return (try? directory.disk.size(file)).map { $0 >= leastSize } ?? false
    }

    private func size(of name: String) -> Int? {
        guard let file = try? directory.open(name, .read) else { return nil }
        defer { directory.disk.close(file) }
        return try? directory.disk.size(file)
    }
}
