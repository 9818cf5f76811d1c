// A model is a mailbox with a state machine behind it. This file carries out what the state machine decides: it logs,
// applies what has been logged, publishes, wakes, answers, in that order and always on one executor thread at a time.

import Journal
import Optimizers
import Threading

/// A live model: push, pull and change it from any thread.
public final class Model: Runnable, @unchecked Sendable {
    typealias Recalled = @Sendable (Result<StoredAnswer?, ServingError>) -> Void

    enum Message {
        case reserve(RequestKey, Recalled)
        case release(RequestKey)
        case submit(Command, Reply, reserved: RequestKey?)
        case logged(Command, Reply, Result<Logged, ServingError>)
        case inspect(@Sendable (ModelState) -> Void)
        case replay(Command, UInt64, @Sendable () -> Void)
        case skip(versions: Int, UInt64)
        case recovered(@Sendable () -> Void)
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
    /// Its first record in the journal, or the first that the snapshot it came from does not hold.
    private(set) var firstPosition: UInt64 = 0
    private let memory: Reservation
    private let inbox = Inbox<Message>()
    private let executor: Executor
    private let log: CommandLog
    private let watch: RuleWatch?
    private let clock: @Sendable () -> Int
    private var state: ModelState
    /// The copy of the present state that readers share, as long as one of them holds it.
    private weak var latestExport: ModelExport?
    private var end: ServingError?

    init(
        state: ModelState, fingerprint: Fingerprint, pool: ArenaPool, memory: Reservation, executor: Executor,
        log: CommandLog, watch: RuleWatch?, clock: @escaping @Sendable () -> Int, retainedVersions: Int
    ) {
        self.name = state.facts.name
        self.uid = state.facts.uid
        self.publication = Publication(state.published, retaining: retainedVersions)
        self.fingerprint = fingerprint
        self.pool = pool
        self.memory = memory
        self.executor = executor
        self.log = log
        self.watch = watch
        self.clock = clock
        self.state = state
    }

    /// Memory for one decoded push: an arena-shaped buffer with unspecified contents, to be paid for as it is filled.
    public func takeArena() throws(ServingError) -> Arena { try pool.takeGrowing() }

    /// Hands a command to the model; `reply` is called once, on an executor thread.
    public func submit(_ command: Command, reply: @escaping Reply) {
        post(.submit(command, reply, reserved: nil))
    }

    /// The same for a command whose request has reserved its key.
    func submit(_ command: Command, reserved key: RequestKey?, reply: @escaping Reply) {
        post(.submit(command, reply, reserved: key))
    }

    /// Gives the stored answer of a request to `reply`, on an executor thread; nil for one that has not been seen.
    ///
    /// Its key is then under way until `submit` or `release`.
    func reserve(_ key: RequestKey, reply: @escaping Recalled) { post(.reserve(key, reply)) }

    /// Leaves free what `reserve` took, for a request that has come to nothing.
    func release(_ key: RequestKey?) {
        if let key { post(.release(key)) }
    }

    /// Runs `body` with the state between two commands.
    func inspect(_ body: @escaping @Sendable (ModelState) -> Void) {
        post(.inspect(body))
    }

    /// Answers everything that waits, and all that comes, with `reason`.
    func end(_ reason: ServingError) {
        post(.end(reason))
    }

    /// Notes where the model's first record is; to be called before anybody else knows the model.
    func begin(at position: UInt64) {
        firstPosition = position
        state.advance(past: position)
    }

    /// Takes over what an image says; to be called before anybody else knows the model.
    func adopt(_ head: ImageHead, _ arena: Arena, optimizer: ModelOptimizer) {
        firstPosition = head.position
        state.adopt(head, arena, optimizer: optimizer)
    }

    /// Whether what is acknowledged survives a power cut.
    var isDurable: Bool { log.isDurable }

    /// Where each parameter is; never changes.
    public var layout: ArenaLayout { publication.current.facts.layout }

    /// Bytes of its state: what a snapshot writes.
    var bytes: Int { memory.bytes + layout.count * MemoryLayout<Float>.stride }

    /// The whole state between two commands; waits for it, so never on a network thread.
    ///
    /// - Throws: `outOfMemory` where there is no room for a copy of the slots.
    func waitForImage() throws(ServingError) -> ModelImage {
        let result = Locked<Result<ModelImage, ServingError>?>(nil)
        let done = Condition()
        inspect { [fingerprint] state in
            let image = Result { () throws(ServingError) in try state.image(fingerprint: fingerprint) }
            result.withLock { $0 = image }
            done.broadcast()
        }
        return try result.wait(for: done) { $0 }.get()
    }

    /// Gives the state itself to `body` while the model stands still; for where there is no room for a copy.
    func hold<Result>(_ body: (ModelImage) throws(JournalError) -> Result) throws(JournalError) -> Result {
        let (held, isOver) = (Locked<ModelImage?>(nil), Locked(false))
        let change = Condition()
        inspect { [fingerprint] state in
            held.withLock { $0 = state.view(fingerprint: fingerprint, memory: nil) }
            change.broadcast()
            isOver.wait(for: change) { $0 ? () : nil }
        }
        defer {
            isOver.withLock { $0 = true }
            change.broadcast()
        }
        return try body(held.wait(for: change) { $0 })
    }

    /// Applies a record of the journal during recovery; no one is answered, nothing is published yet.
    func replay(_ command: Command, at position: UInt64, then: @escaping @Sendable () -> Void) {
        post(.replay(command, position, then))
    }

    /// Leaves out versions, as the record at `position` says.
    func skip(versions: Int, at position: UInt64) { post(.skip(versions: versions, position)) }

    /// Publishes what recovery has come to.
    func finishRecovery(then: @escaping @Sendable () -> Void) { post(.recovered(then)) }

    private func post(_ message: Message) {
        if inbox.add(message) { executor.schedule(self) }
    }

    /// Handles what has arrived; called by the executor.
    public func run() {
        if inbox.drain(handle) { executor.schedule(self) }
    }

    private func handle(_ message: Message) {
        switch message {
        case .reserve(let key, let reply): reserveNow(key, reply)
        case .release(let key): state.keys.abandon(key)
        case .submit(let command, let reply, let reserved):
            if let reserved { state.keys.abandon(reserved) }
            admit(command, reply)
        case .logged(let command, let reply, .success(let logged)): apply(command, reply, logged)
        case .logged(let command, let reply, .failure(let error)):
            state.forget(command)
            reply(.failure(error))
        case .inspect(let body): body(state)
        case .replay(let command, let position, let then):
            replay(command, at: position)
            then()
        case .skip(let versions, let position): skipNow(versions: versions, at: position)
        case .recovered(let then):
            publication.open(with: state.published, divergence: state.divergence)
            then()
        case .end(let reason):
            end = reason
            publication.end(reason)
        }
    }

    private func reserveNow(_ key: RequestKey, _ reply: Recalled) {
        if let end { return reply(.failure(end)) }
        do throws(ServingError) { reply(.success(try state.keys.reserve(key))) } catch { reply(.failure(error)) }
    }

    private func admit(_ command: Command, _ reply: @escaping Reply) {
        if let end { return reply(.failure(end)) }
        let command = state.sighted(command, at: clock())
        do {
            switch try state.admit(command) {
            case .repeated(let answer): reply(.success(.repeated(answer.replayed(isDurable: log.isDurable))))
            case .proceed:
                log.append(command.record(of: uid, in: state.facts.layout)) { [self] result in
                    post(.logged(command, reply, result))
                }
            }
        } catch {
            reply(.failure(error))
        }
    }

    private func apply(_ command: Command, _ reply: @escaping Reply, _ logged: Logged) {
        // What has been logged is applied even while stopping: a restart would apply it too. After a delete it would not.
        if let end, end != .stopping { return reply(.failure(end)) }
        Failpoint.reach(.beforeApply)
        let versionBefore = state.version
        do {
            var outcome = try applyNoted(command)
            let woken = publication.broadcastParams(
                optimResult: state.version > versionBefore, state.published, divergence: state.divergence)
            if case .receipt(var receipt) = outcome {
                receipt.durable = logged.isDurable
                receipt.woken = woken
                outcome = .receipt(receipt)
            }
            Failpoint.reach(.afterApply)
            reply(.success(outcome))
        } catch {
            if case .diverged(let parameter, nil) = error { publication.markDiverged(parameter) }
            reply(.failure(error))
        }
        state.advance(past: logged.position)
    }

    /// Applies a command of a journal to a model that no one else knows.
    func applyNow(_ command: Command, at position: UInt64) { replay(command, at: position) }

    /// Leaves out versions of a model that no one else knows.
    func skipNow(versions: Int, at position: UInt64) {
        guard position >= state.position else { return }
        state.skip(versions: versions)
        state.advance(past: position)
    }

    /// The whole state of a model that no one else knows, to which nothing more is applied.
    var finalImage: ModelImage { state.view(fingerprint: fingerprint, memory: memory) }

    /// A copy of it if the model is at that step and sound: the slots of one that diverged hold what broke it.
    func image(ifAt step: Int?) throws(ServingError) -> ModelImage? {
        guard state.optimizer.step == step, state.divergence == nil else { return nil }
        return try state.image(fingerprint: fingerprint)
    }

    /// The copy of the present state that all share who ask between two changes; called by `inspect`.
    func export(_ state: ModelState) throws(ServingError) -> ModelExport {
        if let latestExport { return latestExport }
        let made = try ModelExport(state)
        latestExport = made
        return made
    }

    /// Decides as the first time: what was refused then is refused now.
    private func replay(_ command: Command, at position: UInt64) {
        guard position >= state.position else { return }
        _ = try? applyNoted(command)
        state.advance(past: position)
    }

    /// Carries a command out, noted in the directory where a rule of a user's may end the process.
    private func applyNoted(_ command: Command) throws(ServingError) -> Outcome {
        latestExport = nil
        guard let watch else { return try state.apply(command) }
        let (rule, step) = (state.facts.plan.optimizerName, state.optimizer.step + 1)
        return try watch.run(rule, on: uid, step: step) { () throws(ServingError) in try state.apply(command) }
    }
}
