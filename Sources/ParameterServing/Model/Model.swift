// A model is a mailbox in front of a state machine: it lets ModelState decide, logs the command, has it applied, and
// executes the effects (publish, wake, answer), always in order and on one executor thread at a time.

import Journal
import Optimizers
import Threading

/// A live model: push, pull and change it from any thread.
///
/// 1. The log reports each logged command once, and each command is answered once.
/// 2. A command that is applied to the state in which it was decided ends as decided: only an update whose numbers
///    overflow may be refused.
public final class Model: Runnable, @unchecked Sendable {
    typealias Reply = @Sendable (Result<Outcome, ServingError>) -> Void
    typealias Recalled = @Sendable (Result<StoredAnswer?, ServingError>) -> Void

    enum Message {
        case reserve(RequestKey, Recalled)
        case release(RequestKey)
        case submit(Command, Reply, reserved: RequestKey?)
        case logged(Ticket, Result<Logged, ServingError>)
        case inspect(@Sendable (ModelState) -> Void)
        case end(ServingError)
    }

    /// The model's name.
    public let name: String
    /// Its uid.
    public let uid: ModelUID
    /// The newest version, and the pulls that wait for the next.
    public let publication: Publication
    let fingerprint: Fingerprint
    let pool: ArenaPool
    /// See `ModelState`.
    let firstPosition: UInt64
    private let memory: Reservation
    /// The number of averages when it was opened; like the slots, those that patches add are not counted.
    private let averagesAtStart: Int
    private let inbox = Inbox<Message>()
    private let executor: Executor
    private let log: CommandLog
    private let watch: RuleWatch?
    private let clock: @Sendable () -> Tick
    private var state: ModelState
    /// Commands being logged; nothing else refers to them, so that their memory is free once they have been applied.
    private var decided: [Ticket: (command: Command, position: UInt64)] = [:]
    /// The callbacks that wait for their outcomes.
    private var waiting: [Ticket: Reply] = [:]
    /// The answers of the current message, sent after its memory is released: the next request may need it.
    private var answers: [() -> Void] = []
    private var lastTicket = Ticket(number: 0)
    /// The copy of the current state that readers share, as long as one of them holds it.
    private weak var latestExport: ModelExport?
    private var end: ServingError?

    /// Opens a model in a new state, or in one from recovery.
    init(
        _ state: ModelState, executor: Executor, log: CommandLog, watch: RuleWatch?,
        clock: @escaping @Sendable () -> Tick, retainedVersions: Int
    ) {
        name = state.facts.name
        uid = state.facts.uid
        publication = Publication(state.published, divergence: state.divergence, retaining: retainedVersions)
        fingerprint = state.fingerprint
        pool = state.pool
        firstPosition = state.firstPosition
        memory = state.memory
        averagesAtStart = state.published.averages.count
        self.executor = executor
        self.log = log
        self.watch = watch
        self.clock = clock
        self.state = state
    }

    /// Memory for one decoded push: an arena-shaped buffer with unspecified contents, paid for as it is filled.
    public func takeArena() throws(ServingError) -> Arena { try pool.takeGrowing() }

    /// Submits a change; its request may have reserved its key.
    ///
    /// `reply` is called once, on an executor thread.
    public func submit<Answer>(
        _ change: Change<Answer>, reserved key: RequestKey? = nil,
        reply: @escaping @Sendable (Result<Answered<Answer>, ServingError>) -> Void
    ) {
        let requestKey = change.command.requestKey
        submit(command: change.command, reserved: key) { result in
            reply(result.flatMap { outcome in Answered.result(outcome, under: requestKey) })
        }
    }

    /// As above, for a command of any type.
    func submit(command: Command, reserved key: RequestKey? = nil, reply: @escaping Reply) {
        post(.submit(command, reply, reserved: key))
    }

    /// Passes the stored answer of a request to `reply`, on an executor thread; nil if the request is new.
    ///
    /// Its key is then reserved until `submit` or `release`.
    func reserve(_ key: RequestKey, reply: @escaping Recalled) { post(.reserve(key, reply)) }

    /// Releases a key reserved with `reserve`, for a request that failed.
    func release(_ key: RequestKey?) {
        if let key { post(.release(key)) }
    }

    /// Runs `body` with the state between two commands.
    func inspect(_ body: @escaping @Sendable (ModelState) -> Void) {
        post(.inspect(body))
    }

    /// Answers all waiting and future requests with `reason`.
    func end(_ reason: ServingError) {
        post(.end(reason))
    }

    /// Whether acknowledged changes survive a power cut.
    var isDurable: Bool { log.isDurable }

    /// The layout of the parameters; never changes.
    public var layout: ArenaLayout { publication.current.facts.layout }

    /// The size of its state in bytes: what a snapshot writes.
    var bytes: Int { memory.bytes + (1 + averagesAtStart) * layout.count * MemoryLayout<Float>.stride }

    /// The whole state between two commands.
    ///
    /// Blocks, so never call it on a network thread.
    ///
    /// - Throws: `outOfMemory` if there is no room for a copy of the slots.
    func waitForImage() throws(ServingError) -> ModelImage {
        let image = Future<Result<ModelImage, ServingError>>()
        inspect { state in image.fulfil(Result { () throws(ServingError) in try state.image() }) }
        return try image.wait().get()
    }

    /// Passes the state itself to `body` while the model pauses; for when there is no room for a copy.
    func hold<Result>(_ body: (ModelImage) throws(JournalError) -> Result) throws(JournalError) -> Result {
        let (held, end) = (Future<ModelImage>(), Future<Void>())
        inspect { state in
            held.fulfil(state.view)
            end.wait()
        }
        defer { end.fulfil(()) }
        return try body(held.wait())
    }

    private func post(_ message: Message) {
        if inbox.add(message) { executor.schedule(self) }
    }

    /// Handles what has arrived.
    ///
    /// Called by the executor.
    public func run() {
        if inbox.drain(handle, then: answer) { executor.schedule(self) }
    }

    private func handle(_ message: Message) {
        switch message {
        case .reserve(let key, let reply): reserveNow(key, reply)
        case .release(let key): state.keys.abandon(key)
        case .submit(let command, let reply, let reserved):
            if let reserved { state.keys.abandon(reserved) }
            decide(command, reply)
        case .logged(let ticket, let result): finish(ticket, result)
        case .inspect(let body): body(state)
        case .end(let reason):
            end = reason
            publication.end(reason)
        }
    }

    private func reserveNow(_ key: RequestKey, _ reply: Recalled) {
        if let end { return reply(.failure(end)) }
        do throws(ServingError) { reply(.success(try state.keys.reserve(key))) } catch { reply(.failure(error)) }
    }

    private func decide(_ command: Command, _ reply: @escaping Reply) {
        if let end { return answer(reply, .failure(end)) }
        do throws(ServingError) {
            switch try state.decide(command, at: clock()) {
            case .repeated(let stored): answer(reply, .success(.again(stored, isDurable: log.isDurable)))
            case .proceed(let command): persist(command, reply)
            }
        } catch {
            answer(reply, .failure(error))
        }
    }

    private func persist(_ command: Command, _ reply: @escaping Reply) {
        lastTicket = Ticket(number: lastTicket.number + 1)
        decided[lastTicket] = (command, state.position)
        waiting[lastTicket] = reply
        log.append(command.record(of: uid, in: state.layout)) { [self, ticket = lastTicket] result in
            post(.logged(ticket, result))
        }
    }

    private func finish(_ ticket: Ticket, _ result: Result<Logged, ServingError>) {
        let entry = decided.removeValue(forKey: ticket)
        invariant(entry != nil, "1: a record is handed back that no one logs")
        guard let (command, position) = entry else { return }
        switch result {
        case .success(let logged): apply(command, ticket, logged, isUndisturbed: position == state.position)
        case .failure(let error):
            state.forget(command)
            reply(ticket, .failure(error))
        }
    }

    private func apply(_ command: Command, _ ticket: Ticket, _ logged: Logged, isUndisturbed: Bool) {
        // A logged command is applied even while the model is stopping, because a restart would apply it too. After a
        // deletion, a restart would not.
        if let end, end != .stopping { return reply(ticket, .failure(end)) }
        Failpoint.reach(.beforeApply)
        latestExport = nil
        var woken = 0
        for effect in state.apply(command, at: logged.position, for: ticket, noting: watch) {
            switch effect {
            case .publish:
                woken = publication.broadcastParams(optimResult: true, state.published, divergence: state.divergence)
            case .markDiverged(let parameter): publication.markDiverged(parameter)
            case .reply(let ticket, let result):
                Failpoint.reach(.afterApply)
                invariant(!isUndisturbed || result.isAsDecided, "2: a command that was decided is refused: \(result)")
                reply(ticket, result.map { $0.noting(isDurable: logged.isDurable, woken: woken) })
            }
        }
    }

    private func reply(_ ticket: Ticket, _ result: Result<Outcome, ServingError>) {
        let reply = waiting.removeValue(forKey: ticket)
        invariant(reply != nil, "1: a ticket is answered that no one waits for")
        if let reply { answer(reply, result) }
    }

    private func answer(_ reply: @escaping Reply, _ result: Result<Outcome, ServingError>) {
        answers.append { reply(result) }
    }

    private func answer() {
        for answer in answers { answer() }
        answers.removeAll(keepingCapacity: true)
    }

    /// The shared copy of the state between two changes.
    ///
    /// Called by `inspect`.
    func export(_ state: ModelState) throws(ServingError) -> ModelExport {
        if let latestExport { return latestExport }
        let made = try ModelExport(state)
        latestExport = made
        return made
    }
}

extension Result<Outcome, ServingError> {
    /// Whether this can be the outcome of a command that `decide` accepted, if the state has not changed since.
    fileprivate var isAsDecided: Bool {
        switch self {
        case .success, .failure(.diverged), .failure(.lossScaleStuck): true
        case .failure: false
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
