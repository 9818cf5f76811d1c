// A model is a mailbox with a state machine behind it. This file carries out what the state machine decides: it logs,
// applies what has been logged, publishes, wakes, answers, in that order and always on one executor thread at a time.

import Journal
import Optimizers

/// A live model: push, pull and change it from any thread.
public final class Model: Runnable, @unchecked Sendable {
    enum Message {
        case submit(Command, Reply)
        case logged(Command, Reply, Result<Bool, ServingError>)
        case inspect(@Sendable (ModelState) -> Void)
        case end(ServingError)
    }

    /// The model's name.
    public let name: String
    /// The number of this creation of the name.
    public let uid: ModelUID
    /// The newest version and the pulls that wait for the next.
    public let publication: Publication
    let fingerprint: Fingerprint
    let pool: ArenaPool
    private let memory: Reservation
    private let inbox = Inbox<Message>()
    private let executor: Executor
    private let log: CommandLog
    private var state: ModelState
    private var end: ServingError?

    init(
        state: ModelState, fingerprint: Fingerprint, pool: ArenaPool, memory: Reservation, executor: Executor,
        log: CommandLog
    ) {
        self.name = state.facts.name
        self.uid = state.facts.uid
        self.publication = Publication(state.published)
        self.fingerprint = fingerprint
        self.pool = pool
        self.memory = memory
        self.executor = executor
        self.log = log
        self.state = state
    }

    /// Memory for one decoded push: an arena-shaped buffer with unspecified contents.
    public func takeArena() throws(ServingError) -> Arena { try pool.take() }

    /// Hands a command to the model; `reply` is called once, on an executor thread.
    public func submit(_ command: Command, reply: @escaping Reply) {
        post(.submit(command, reply))
    }

    /// Runs `body` with the state between two commands.
    func inspect(_ body: @escaping @Sendable (ModelState) -> Void) {
        post(.inspect(body))
    }

    /// Answers everything that waits, and all that comes, with `reason`.
    func end(_ reason: ServingError) {
        post(.end(reason))
    }

    private func post(_ message: Message) {
        if inbox.add(message) { executor.schedule(self) }
    }

    /// Handles what has arrived; called by the executor.
    public func run() {
        if inbox.drain(handle) { executor.schedule(self) }
    }

    private func handle(_ message: Message) {
        switch message {
        case .submit(let command, let reply): admit(command, reply)
        case .logged(let command, let reply, .success(let durable)): apply(command, reply, durable: durable)
        case .logged(let command, let reply, .failure(let error)):
            state.forget(command)
            reply(.failure(error))
        case .inspect(let body): body(state)
        case .end(let reason):
            end = reason
            publication.end(reason)
        }
    }

    private func admit(_ command: Command, _ reply: @escaping Reply) {
        if let end { return reply(.failure(end)) }
        do {
            switch try state.admit(command) {
            case .repeated(var receipt):
                receipt.replayed = true
                reply(.success(.receipt(receipt)))
            case .proceed:
                log.append(command, of: uid) { [self] result in post(.logged(command, reply, result)) }
            }
        } catch {
            reply(.failure(error))
        }
    }

    private func apply(_ command: Command, _ reply: @escaping Reply, durable: Bool) {
        let versionBefore = state.version
        do {
            var outcome = try state.apply(command)
            let woken = publication.broadcastParams(optimResult: state.version > versionBefore, state.published)
            if case .receipt(var receipt) = outcome {
                receipt.durable = durable
                receipt.woken = woken
                outcome = .receipt(receipt)
            }
            reply(.success(outcome))
        } catch {
            if case .diverged(let parameter) = error { publication.markDiverged(parameter) }
            reply(.failure(error))
        }
    }
}
