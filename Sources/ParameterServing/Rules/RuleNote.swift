// One note of RuleWatch, as stored in the file: the model about to be updated, and the rule. The handler of a fatal
// signal uses it too, so it is plain memory.

import CArguments
import Glibc

/// A note of 128 bytes: state, uid, step, thread, build, and the rule's name with its length.
struct RuleNote {
    enum State: UInt32 {
        case free = 0
        case running = 1
        case crashed = 2
    }

    static let size = 128
    private static let longestName = size - 33
    private let base: UnsafeMutableRawPointer

    init(_ memory: UnsafeMutableRawPointer, _ slot: Int) { base = memory + slot * Self.size }

    var state: State {
        get { State(rawValue: base.load(as: UInt32.self)) ?? .free }
        nonmutating set { base.storeBytes(of: newValue.rawValue, as: UInt32.self) }
    }

    /// Whether the thread is in the code of this note.
    func isRunning(on thread: pthread_t) -> Bool {
        state == .running && base.load(fromByteOffset: 16, as: pthread_t.self) == thread
    }

    /// Notes what is about to run on this thread.
    func begin(_ rule: String, _ uid: ModelUID, step: Int) {
        base.storeBytes(of: uid.number, toByteOffset: 4, as: UInt32.self)
        base.storeBytes(of: step, toByteOffset: 8, as: Int.self)
        base.storeBytes(of: pthread_self(), toByteOffset: 16, as: pthread_t.self)
        base.storeBytes(of: Self.build, toByteOffset: 24, as: UInt64.self)
        let name = rule.utf8.prefix(Self.longestName)
        base.storeBytes(of: UInt8(name.count), toByteOffset: 32, as: UInt8.self)
        for (index, byte) in name.enumerated() { base.storeBytes(of: byte, toByteOffset: 33 + index, as: UInt8.self) }
        state = .running
    }

    /// The crash that the note reports, if the rule ended the process.
    var crash: RuleCrash? {
        guard state == .crashed else { return nil }
        let length = min(Int(base.load(fromByteOffset: 32, as: UInt8.self)), Self.longestName)
        let name = UnsafeRawBufferPointer(start: base + 33, count: length)
        return RuleCrash(
            uid: ModelUID(number: base.load(fromByteOffset: 4, as: UInt32.self)),
            step: base.load(fromByteOffset: 8, as: Int.self), rule: String(decoding: name, as: UTF8.self),
            isOfThisBuild: base.load(fromByteOffset: 24, as: UInt64.self) == Self.build)
    }

    /// Distinguishes this program's file from others: another build has another time or size.
    private static let build: UInt64 = {
        var facts = stat()
        // A container may have no /proc.
        guard stat("/proc/self/exe", &facts) == 0 || arguments_program().map({ stat($0, &facts) }) == 0 else {
            return 0
        }
        let time = UInt64(bitPattern: Int64(facts.st_mtim.tv_sec)) &* 1_000_000_000
        return (time &+ UInt64(bitPattern: Int64(facts.st_mtim.tv_nsec))) &* 31
            &+ UInt64(bitPattern: Int64(facts.st_size))
    }()
}

/// A custom rule that ended the daemon.
public struct RuleCrash: Sendable, Equatable {
    /// The model.
    public let uid: ModelUID
    /// The step that the update would have reached.
    public let step: Int
    /// The rule's name.
    public let rule: String
    /// Whether it was the program that is running now.
    public let isOfThisBuild: Bool
}
