// The queue of a model: any thread adds, one executor thread at a time takes. It gives a model a single writer without
// a lock around its state. The executor holds the owner while it is scheduled, so that messages are handled even after
// everyone else has released the model.

import Threading

/// Messages for their owner, in order of arrival.
struct Inbox<Message>: Sendable {
    private struct State {
        var messages: [Message] = []
        var isScheduled = false
    }

    private let state = Locked(State())

    /// Adds a message.
    ///
    /// Never blocks.
    ///
    /// - Returns: whether the owner must be scheduled.
    func add(_ message: Message) -> Bool {
        state.withLock { state in
            state.messages.append(message)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
    }

    /// Delivers what has arrived so far, in order, releasing each message before the next: a push holds an arena.
    ///
    /// Only the executor calls it.
    ///
    /// - Parameter rest: called after each message, once the message has been released.
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
