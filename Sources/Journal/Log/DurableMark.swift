// The end of the durable journal, stored next to its segments: a segment that is missing, truncated or replaced by an
// older copy looks like a journal that ended there, and only this file reveals it. SegmentLog writes it, Recovery
// compares.

import Threading

/// A place in the journal up to which every record was durable.
struct DurableEnd: Sendable, Equatable {
    /// The newest segment.
    var segment: UInt64
    /// The position after the last durable record.
    var position: UInt64

    func isBefore(_ other: DurableEnd) -> Bool { (position, segment) < (other.position, other.segment) }
}

/// The file: three blocks of 4096 bytes, each with one `DurableEnd`.
///
/// The first two are written alternately and synced, so that a power cut leaves at least one of them intact. The third
/// is written after every sync of a segment but not synced itself: it delays no push and is exact after a kill; after a
/// power cut it may be old or torn, and the other two cover that. Each block, little-endian:
///
///     offset  bytes
///          0      8  "PARAMEND"
///          8      8  number of the segment
///         16      8  position
///         24      4  CRC32C of the 24 bytes above
///
/// A failure to write this file fails no append: the file is then only out of date.
final class DurableMark {
    private static let magic = Array("PARAMEND".utf8)
    private static let contentSize = 28
    private static let blockSize = 4096
    /// The block that is not synced.
    private static let live = 2
    private static let size = 3 * blockSize
    /// How long the synced blocks may be out of date, in nanoseconds.
    private static let lag: UInt64 = 1_000_000_000

    /// The content when the file was read; `nil` if there was none, as in directories of the first releases.
    let found: DurableEnd?
    /// When to call `keep`, in monotonic nanoseconds.
    private(set) var due: UInt64?
    private let directory: Directory
    private var file: Int32?
    private var noted: DurableEnd?
    /// The synced block to write next.
    private var turn = 0

    /// Reads the file.
    ///
    /// - Throws: `.corrupted` if both synced blocks are damaged.
    init(_ directory: Directory) throws(JournalError) {
        self.directory = directory
        let ends = try DurableMark.ends(in: directory)
        found = ends?.compactMap(\.self).max { $0.isBefore($1) }
        if let ends, ends[0] == found { turn = 1 }
    }

    /// The content of each block; `nil` for a damaged block, and `nil` instead of the list if the file does not exist.
    private static func ends(in directory: Directory) throws(JournalError) -> [DurableEnd?]? {
        let window: ReadWindow
        do {
            window = try ReadWindow(FileName.durable, in: directory, capacity: size)
        } catch {
            if error.isGone { return nil }
            throw error
        }
        guard window.size == size else { throw damaged("the file is \(window.size) bytes long") }
        let bytes = try window.bytes(0..<size)
        let ends = (0..<3).map { decode(UnsafeRawBufferPointer(rebasing: bytes[($0 * blockSize)...])) }
        guard ends[0] != nil || ends[1] != nil else { throw damaged("no checksum matches") }
        return ends
    }

    // MARK: - Writing

    /// Records that everything before the end has been synced; nothing waits for this record.
    func note(_ end: DurableEnd) {
        noted = end
        due = due ?? Clock.now + DurableMark.lag
        attempt { file throws(SystemError) in try write(end, block: DurableMark.live, to: file) }
    }

    /// Makes the recorded end durable.
    func keep() {
        due = nil
        guard let noted else { return }
        if let file, directory.disk.isNamed(file, directory.path(of: FileName.durable)) == false { close() }
        guard file != nil else { return create(noted) }
        attempt { file throws(SystemError) in
            try write(noted, block: turn, to: file)
            try directory.disk.synchronize(file)
            turn = 1 - turn
        }
    }

    /// Records the end and makes it durable.
    func keep(_ end: DurableEnd) {
        note(end)
        keep()
    }

    func close() {
        if let file { directory.disk.close(file) }
        file = nil
    }

    /// A file that failed to be written or synced is not used again: the next `keep` makes a new one.
    private func attempt(_ work: (Int32) throws(SystemError) -> Void) {
        guard let file else { return }
        do { try work(file) } catch { close() }
    }

    /// Replaces the whole file: a crash leaves either the old one or the new one.
    private func create(_ end: DurableEnd) {
        let name = FileName.durable + FileName.unfinished
        guard let made = try? directory.open(name, .create) else { return }
        file = made
        attempt { file throws(SystemError) in
            try directory.disk.allocate(file, size: DurableMark.size)
            for block in 0..<3 { try write(end, block: block, to: file) }
            try directory.disk.synchronize(file)
            try directory.rename(name, to: FileName.durable)
            try directory.synchronize()
        }
    }

    private func write(_ end: DurableEnd, block: Int, to file: Int32) throws(SystemError) {
        try directory.disk.writeAll(DurableMark.encode(end), to: file, at: block * DurableMark.blockSize)
    }

    // MARK: - A block

    private static func encode(_ end: DurableEnd) -> [UInt8] {
        var bytes = magic + [UInt8](repeating: 0, count: contentSize - magic.count)
        bytes.withUnsafeMutableBytes { buffer in
            guard let memory = buffer.baseAddress else { return }
            memory.store(end.segment, at: 8)
            memory.store(end.position, at: 16)
            memory.store(Checksum.of(UnsafeRawBufferPointer(rebasing: buffer[..<24])), at: 24)
        }
        return bytes
    }

    private static func decode(_ bytes: UnsafeRawBufferPointer) -> DurableEnd? {
        guard bytes.prefix(8).elementsEqual(magic) else { return nil }
        guard Checksum.of(UnsafeRawBufferPointer(rebasing: bytes[..<24])) == bytes.integer(at: 24) else { return nil }
        return DurableEnd(segment: bytes.integer(at: 8), position: bytes.integer(at: 16))
    }

    private static func damaged(_ reason: String) -> JournalError {
        .corrupted(file: FileName.durable, offset: 0, reason: reason)
    }
}
