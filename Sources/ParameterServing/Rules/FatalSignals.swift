// The signals of an impossible state, such as a trap in a custom rule. The handler only marks the notes of its thread;
// then the signal takes its usual effect.

import Glibc
import Threading

/// Marks the notes of a thread that gets a fatal signal.
enum FatalSignals {
    private static let stackSize = 1 << 16
    /// Whether the handler is installed.
    ///
    /// The lock is held while the handler's data changes, because a process may open several directories.
    private static let installed = Locked(false)
    /// Read by the handler: set before it is installed, and for the next directory of the same process.
    nonisolated(unsafe) fileprivate static var notes: UnsafeMutableRawBufferPointer?
    /// The previous action of each signal, by its number.
    nonisolated(unsafe) fileprivate static var previous: UnsafeMutablePointer<sigaction>?

    /// Marks notes in `memory` from now on.
    static func watch(_ memory: UnsafeMutableRawBufferPointer) {
        installed.withLock { installed in
            notes = memory
            if !installed { install() }
            installed = true
        }
    }

    private static func install() {
        let actions = UnsafeMutablePointer<sigaction>.allocate(capacity: 65)
        actions.initialize(repeating: sigaction(), count: 65)
        previous = actions
        var action = sigaction()
        action.__sigaction_handler.sa_sigaction = markAndGiveOn
        action.sa_flags = SA_SIGINFO | SA_ONSTACK
        for number in Thread.faults { sigaction(number, &action, actions + Int(number)) }
    }

    /// Stops marking notes in `memory`, which is about to be unmapped.
    static func stop(_ memory: UnsafeMutableRawBufferPointer) {
        installed.withLock { _ in if notes?.baseAddress == memory.baseAddress { notes = nil } }
    }

    /// Gives this thread a separate stack for the handler, because a rule may exhaust the thread's own.
    static func prepareThread() {
        var stack = stack_t()
        guard sigaltstack(nil, &stack) == 0, stack.ss_flags & Int32(SS_DISABLE) != 0 else { return }
        stack = stack_t(ss_sp: malloc(stackSize), ss_flags: 0, ss_size: stackSize)
        if stack.ss_sp != nil { sigaltstack(&stack, nil) }
    }
}

/// Marks the notes of this thread.
///
/// The failed instruction runs again and meets the previous action; a signal sent by another process is sent again.
private func markAndGiveOn(
    _ number: Int32, _ facts: UnsafeMutablePointer<siginfo_t>?, _ context: UnsafeMutableRawPointer?
) {
    if let notes = FatalSignals.notes, let base = notes.baseAddress {
        let thread = pthread_self()
        for slot in 0..<notes.count / RuleNote.size {
            let note = RuleNote(base, slot)
            if note.isRunning(on: thread) { note.state = .crashed }
        }
    }
    if let previous = FatalSignals.previous { sigaction(number, previous + Int(number), nil) }
    if let facts, facts.pointee.si_code <= 0 { raise(number) }
}
