// A rule that a user wrote can end the process, and its push is in the journal by then: each start would end the same way.
// So a note in a file that is mapped into memory says what is about to run; a fatal signal on that thread marks the note
// (FatalSignals), and the next start of the same program leaves the model out (Recovery).

import Glibc
import Journal
import Threading

/// The notes of the updates that are running; an update costs a few writes to memory more.
final class RuleWatch: @unchecked Sendable {
    fileprivate static let fileName = "RULES"
    private let memory: UnsafeMutableRawPointer
    private let free: Locked<[Int]>

    /// Maps the file of a directory and watches for fatal signals from now on.
    ///
    /// Crashes of this very program stay noted; another build of it is to be tried.
    /// - Throws: `inaccessible` where the file cannot be made.
    init(_ directory: String) throws(JournalError) {
        let size = RuleNote.size * RuleNote.count
        let file = open("\(directory)/\(Self.fileName)", O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw Self.failure("open") }
        defer { close(file) }
        // Taken up at once: a disk that is full by then must not end an update.
        guard posix_fallocate(file, 0, off_t(size)) == 0 else { throw Self.failure("posix_fallocate") }
        guard let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), mapped != MAP_FAILED else {
            throw Self.failure("mmap")
        }
        memory = mapped
        let slots = (0..<RuleNote.count).filter { RuleNote(mapped, $0).crash?.isOfThisBuild != true }
        for slot in slots { RuleNote(mapped, slot).state = .free }
        free = Locked(slots)
        FatalSignals.watch(mapped)
    }

    deinit {
        FatalSignals.stop(memory)
        munmap(memory, RuleNote.size * RuleNote.count)
    }

    /// Forgets the crashes of models that are gone.
    func forget(except uids: Set<ModelUID>) {
        for slot in 0..<RuleNote.count {
            guard let crash = RuleNote(memory, slot).crash, !uids.contains(crash.uid) else { continue }
            RuleNote(memory, slot).state = .free
            free.withLock { $0.append(slot) }
        }
    }

    /// Runs an update with a note of it; without one where all notes tell of crashes.
    func run<Result, Failure>(
        _ rule: String, on uid: ModelUID, step: Int, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let slot = free.withLock({ $0.popLast() }) else { return try body() }
        FatalSignals.prepareThread()
        let note = RuleNote(memory, slot)
        note.begin(rule, uid, step: step)
        defer {
            note.state = .free
            free.withLock { $0.append(slot) }
        }
        return try body()
    }

    private static func failure(_ call: String) -> JournalError {
        .inaccessible(file: fileName, call: call, code: errno)
    }
}

extension DataDirectory {
    /// The crashes of rules that are noted in the directory.
    public var ruleCrashes: [RuleCrash] {
        let file = Glibc.open("\(path)/\(RuleWatch.fileName)", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: RuleNote.size * RuleNote.count)
        guard pread(file, &bytes, bytes.count, 0) == bytes.count else { return [] }
        return bytes.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return [] }
            return (0..<RuleNote.count).compactMap { RuleNote(base, $0).crash }
        }
    }
}
