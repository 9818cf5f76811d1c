// A custom rule can end the process after its push is in the journal: each start would end in the same way. So a
// memory-mapped file notes what is about to run; a fatal signal on that thread marks the note (FatalSignals), and the
// next start of the same program excludes the model (DirectoryRecovery).

import Glibc
import Journal
import Threading

/// The notes of running updates and of crashes; an update costs only a few more memory writes.
final class RuleWatch: @unchecked Sendable {
    fileprivate static let fileName = "RULES"
    /// The number of notes for running updates: no more updates than this run at a time.
    static let room = 64
    private let memory: UnsafeMutableRawBufferPointer
    private let base: UnsafeMutableRawPointer
    private let free: Locked<[Int]>

    /// Maps the file of a directory and watches for fatal signals from now on.
    ///
    /// Crashes of this program stay noted; another build is tried again.
    /// - Throws: the error of `JournalError(writing:)` if the file cannot be made.
    init(_ directory: DataDirectory) throws(JournalError) {
        let crashes = directory.ruleCrashes.count
        let file = open("\(directory.path)/\(Self.fileName)", O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .inaccessible(file: Self.fileName, call: "open", code: errno) }
        defer { close(file) }
        let size = RuleNote.size * (crashes + Self.room)
        // Written at once, so that a disk that is full later does not end an update.
        let code = posix_fallocate(file, 0, off_t(size))
        guard code == 0 else { throw .unnoted(code) }
        let end = Int(lseek(file, 0, SEEK_END)) / RuleNote.size * RuleNote.size
        guard let mapped = mmap(nil, end, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), mapped != MAP_FAILED else {
            throw .unnoted(errno)
        }
        base = mapped
        memory = UnsafeMutableRawBufferPointer(start: mapped, count: end)
        let slots = (0..<end / RuleNote.size).filter { RuleNote(mapped, $0).crash?.isOfThisBuild != true }
        for slot in slots { RuleNote(mapped, slot).state = .free }
        free = Locked(slots)
        FatalSignals.watch(memory)
    }

    deinit {
        FatalSignals.stop(memory)
        munmap(base, memory.count)
    }

    /// Removes the crashes of models that neither files nor records mention any more.
    func forget(except uids: Set<ModelUID>) {
        for slot in 0..<memory.count / RuleNote.size {
            guard let crash = RuleNote(base, slot).crash, !uids.contains(crash.uid) else { continue }
            RuleNote(base, slot).state = .free
            free.withLock { $0.append(slot) }
        }
    }

    /// Runs an update with a note, or without a note if all are in use.
    func run<Result, Failure>(
        _ rule: String, on uid: ModelUID, step: Int, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let slot = free.withLock({ $0.popLast() }) else { return try body() }
        FatalSignals.prepareThread()
        let note = RuleNote(base, slot)
        note.begin(rule, uid, step: step)
        defer {
            note.state = .free
            free.withLock { $0.append(slot) }
        }
        return try body()
    }
}

extension JournalError {
    /// The error if no note can be kept.
    fileprivate static func unnoted(_ code: Int32) -> JournalError {
        code == ENOSPC || code == EDQUOT
            ? .outOfSpace(file: RuleWatch.fileName)
            : .inaccessible(file: RuleWatch.fileName, call: "posix_fallocate", code: code)
    }
}

extension DataDirectory {
    /// The crashes noted in the directory.
    public var ruleCrashes: [RuleCrash] {
        // A pipe with that name would block the opening.
        let file = Glibc.open("\(path)/\(RuleWatch.fileName)", O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: max(0, Int(lseek(file, 0, SEEK_END))) / RuleNote.size * RuleNote.size)
        guard pread(file, &bytes, bytes.count, 0) == bytes.count else { return [] }
        return bytes.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return [] }
            return (0..<bytes.count / RuleNote.size).compactMap { RuleNote(base, $0).crash }
        }
    }
}

extension ModelState {
    /// Applies a command; notes it in the directory if a custom rule may end the process.
    mutating func apply(
        _ command: Command, at position: UInt64, for ticket: Ticket? = nil, noting watch: RuleWatch?
    ) -> [Effect] {
        guard let watch else { return apply(command, at: position, for: ticket) }
        return watch.run(facts.plan.optimizerName, on: facts.uid, step: optimizer.step + 1) {
            apply(command, at: position, for: ticket)
        }
    }
}
