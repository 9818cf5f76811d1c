// The queue in front of a model: any thread adds, one executor thread at a time takes. This is what gives a model a
// single writer without a lock around its state. The executor holds the owner while it is scheduled, so that messages
// which have arrived are handled even when no one else holds the model any more.

import Threading

/// Messages that wait for their owner, in order of arrival.
struct Inbox<Message>: Sendable {
    private struct State {
        var messages: [Message] = []
        var isScheduled = false
    }

    private let state = Locked(State())

    /// Adds a message; never blocks.
    ///
    /// - Returns: whether the owner has to be scheduled.
    func add(_ message: Message) -> Bool {
        state.withLock { state in
            state.messages.append(message)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
    }

    /// Hands over what has arrived so far, in order, and lets go of each before the next: a push holds an arena.
    ///
    /// Only the executor calls it.
    ///
    /// - Parameter rest: called after each message, which is gone by then.
    /// - Returns: whether more arrived meanwhile, so that the owner has to be scheduled again.
    func drain(_ handle: (Message) -> Void, then rest: () -> Void = {}) -> Bool {
        var batch: [Message] = []
        state.withLock { swap(&$0.messages, &batch) }
        batch.reverse()
        while !batch.isEmpty {
            handle(batch.removeLast())
            rest()
        }
        return state.withLock { state in
            state.isScheduled = !state.messages.isEmpty
            return state.isScheduled
        }
    }
}
