// A model is a mailbox in front of a state machine: it lets ModelState decide, logs the command, has it applied, and
// executes the effects (publish, wake, answer), always in order and on one executor thread at a time.

import Journal
import Names
import Optimizers
import Threading

/// A live model: push, pull and change it from any thread.
///
/// 1. The log reports each logged command once, and each command is answered once; a request that waits for a round is
///    answered when the round is settled.
/// 2. A command that is applied to the state in which it was decided ends as decided: only an update whose numbers
///    overflow may be refused.
/// 3. No refusal rests on records in progress, which a kill may undo: the request is decided again once they have been
///    logged or have failed. It waits again only if one failed, or if the model has not become what was forecast.
public final class Model: Runnable, @unchecked Sendable {
    typealias Reply = @Sendable (Result<Outcome, ServingError>) -> Void
    typealias Recalled = @Sendable (Result<StoredAnswer?, ServingError>) -> Void

    enum Message {
        case reserve(RequestKey, Recalled)
        case release(RequestKey)
        case submit(Command, Waiter, reserved: RequestKey?)
        case leave(Ticket, isAnswered: Bool)
        case deadline
        case logged(Ticket, Result<Logged, ServingError>)
        case inspect(@Sendable (ModelState) -> Void)
        case adjust(about: Name?, @Sendable (inout ModelState) -> Void)
        case endLeases
        case end(ServingError)
    }

    /// The model's name.
    public let name: String
    /// Its uid.
    public let uid: ModelUID
    /// The newest version, and the pulls that wait for the next.
    public let publication: Publication
    /// Where workers wait that are too far ahead.
    public let gate: ClockGate
    /// The barriers at which its workers meet.
    public let barriers: Barriers
    /// What happens to the model.
    public let events: EventFeed
    let fingerprint: Fingerprint
    /// See `ModelState`.
    let firstPosition: UInt64
    private let memory: Reservation
    /// The number of averages when it was opened; like the slots, those that patches add are not counted.
    private let averagesAtStart: Int
    private let inbox = Inbox<Message>()
    private let executor: Executor
    private let log: CommandLog
    private let watch: RuleWatch?
    private let configuration: ServingConfiguration
    let clock: @Sendable () -> Tick
    /// For requests that wait.
    let places: WaitingPlaces
    private let leaseAlarm: LeaseAlarm
    /// Pulls to be woken once the message is answered.
    private var broadcasts: [Broadcast] = []
    private(set) var state: ModelState
    /// Commands being logged; nothing else refers to them, so that their memory is free once they have been applied.
    private var decided: [Ticket: (command: Command, position: UInt64)] = [:]
    /// Changes of the layout that are being logged.
    private var layoutChanges: Set<Ticket> = []
    /// Messages that are handled once a record has been logged or has failed, in the order of their arrival: commands with
    /// values for the places of parameters wait for those changes, and others for what would refuse them.
    private var parked: [(message: Message, until: Ticket)] = []
    private var waiters = Waiters()
    private(set) var roundClock: RoundClock?
    /// The copy of the current state that readers share, as long as one of them holds it.
    private weak var latestExport: ModelExport?
    private(set) var end: ServingError?

    /// Opens a model in a new state, or in one from recovery.
    init(
        _ state: ModelState, events: EventFeed, executor: Executor, log: CommandLog, watch: RuleWatch?,
        configuration: ServingConfiguration, places: WaitingPlaces
    ) {
        name = state.facts.name
        uid = state.facts.uid
        publication = Publication(
            state.published, divergence: state.divergence, retaining: configuration.versions - 1,
            bytes: configuration.versionBytes, places: places)
        gate = ClockGate(places)
        barriers = Barriers(configuration, state.pool.budget, places)
        self.places = places
        self.events = events
        fingerprint = state.fingerprint
        firstPosition = state.firstPosition
        memory = state.memory
        averagesAtStart = state.published.averages.count
        self.executor = executor
        self.log = log
        self.watch = watch
        self.configuration = configuration
        clock = configuration.clock
        self.state = state
        leaseAlarm = LeaseAlarm(configuration.timers)
        leaseAlarm.ring { [weak self] in self?.post(.endLeases) }
        self.state.startLeases(at: clock())
        leaseAlarm.set(to: self.state.leases.next)
        gate.update(state.clocks, rule: state.clockRule)
        if !state.round.isEmpty, let timeout = state.policy.timeout { arm(state.round.number, timeout) }
    }

    /// Whether acknowledged changes survive a power cut.
    var isDurable: Bool { log.isDurable }

    /// The size of its state in bytes: what a snapshot writes.
    var bytes: Int { memory.bytes + (1 + averagesAtStart) * layout.count * MemoryLayout<Float>.stride }

    func post(_ message: Message) {
        if inbox.add(message) { executor.schedule(self) }
    }

    /// Handles what has arrived.
    ///
    /// Called by the executor.
    public func run() {
        if inbox.drain(handle, then: rest) { executor.schedule(self) }
    }

    private func handle(_ message: Message) {
        switch message {
        case .reserve(let key, let reply): reserveNow(key, reply)
        case .release(let key): state.keys.abandon(key)
        case .submit(let command, let waiter, let reserved):
            if let reserved { state.keys.abandon(reserved) }
            decide(command, waiter)
        case .leave(let ticket, let isAnswered): waiters.leave(ticket, at: isAnswered ? progress : nil)
        case .deadline: settleRound()
        case .logged(let ticket, let result): finish(ticket, result)
        case .inspect(let body): body(state)
        case .adjust(let worker, let body):
            if end == nil, let worker, state.leases.isEnding(worker) { return park(message) }
            body(&state)
        case .endLeases: if let command = state.endOfLeases(at: clock()) { decide(command, Waiter { _ in }) }
        case .end(let reason):
            end = reason
            publication.end(reason)
            gate.end()
            waiters.end(reason, at: log.isKept ? progress : nil)
            roundClock?.stop()
            barriers.end(reason)
            unpark()
        }
    }

    private func reserveNow(_ key: RequestKey, _ reply: Recalled) {
        if let end { return reply(.failure(end)) }
        do throws(ServingError) { reply(.success(try state.keys.reserve(key))) } catch { reply(.failure(error)) }
    }

    private func decide(_ command: Command, _ waiter: Waiter) {
        if let end { return waiters.answer(waiter, .failure(end)) }
        // Its record must be of the layout that the readers of the log have there.
        if command.isPlaced, let change = layoutChanges.max() {
            return park(.submit(command, waiter, reserved: nil), until: change)
        }
        do throws(ServingError) {
            switch try state.decide(command, at: clock()) {
            case .repeated(let stored): answerAgain(stored, to: command, waiter)
            case .proceed(let command): persist(command, waiter)
            case .deferred: park(.submit(command, waiter, reserved: nil))
            }
        } catch {
            waiters.answer(waiter, .failure(error))
        }
    }

    /// Answers a repeated request; one whose push is still held may wait for the round like the first.
    private func answerAgain(_ stored: StoredAnswer, to command: Command, _ waiter: Waiter) {
        let outcome = Outcome.again(stored, isDurable: log.isDurable).told(progress)
        let ticket = waiters.add(waiter)
        if outcome.isHeld, waiter.held != nil {
            state.round.attach(ticket, command.pushKey, command.requestKey, besides: waiters.isWaiting)
        }
        waiters.reply(ticket, .success(outcome))
    }

    private func persist(_ command: Command, _ waiter: Waiter) {
        let ticket = waiters.add(waiter)
        do throws(ServingError) {
            try log.append(command.record(of: uid, in: state.layout)) { [self] result in
                post(.logged(ticket, result))
            }
            decided[ticket] = (command, state.position)
            if command.changesLayout(of: state.pool.placement) { layoutChanges.insert(ticket) }
        } catch {
            // Others may be on their way: this is the newest of them.
            state.forget(command, isNewest: true)
            waiters.reply(ticket, .failure(error))
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
            waiters.reply(ticket, .failure(error))
        }
        layoutChanges.remove(ticket)
        unpark(through: ticket)
    }

    /// Handles a message again after a record: by default the newest in progress.
    private func park(_ message: Message, until ticket: Ticket? = nil) {
        let ticket = ticket ?? decided.keys.max()
        invariant(ticket != nil, "3: a request waits for records, but none is in progress")
        if let ticket { parked.append((message, ticket)) }
    }

    /// Handles the messages that waited for a record; at the end of the model, all of them.
    ///
    /// It comes before any other message, while the state is still the one that was forecast.
    private func unpark(through ticket: Ticket? = nil) {
        if parked.isEmpty { return }
        let waiting = parked
        parked = []
        for place in waiting {
            if let ticket, place.until > ticket { parked.append(place) } else { handle(place.message) }
        }
    }

    private func apply(_ command: Command, _ ticket: Ticket, _ logged: Logged, isUndisturbed: Bool) {
        // A logged command is applied even while the model is stopping, because a restart would apply it too. After a
        // deletion, a restart would not.
        if let end, end != .stopping { return waiters.reply(ticket, .failure(end)) }
        Failpoint.reach(.beforeApply)
        latestExport = nil
        var woken = 0
        for effect in state.apply(command, at: logged.position, for: ticket, noting: watch) {
            switch effect {
            case .publish:
                let broadcast = publication.broadcastParams(
                    optimResult: true, state.published, divergence: state.divergence)
                woken += broadcast.pulls.count
                if !broadcast.pulls.isEmpty { broadcasts.append(broadcast) }
            case .event(let event, let number, let time):
                events.add(event, of: name, uid, at: number, time: time)
            case .markDiverged(let parameter): publication.markDiverged(parameter)
            case .startLease(let worker): state.startLease(of: worker, at: clock())
            case .endEpoch(let epoch, let worker): barriers.leave(worker, state.fence(epoch, of: worker))
            case .reply(let ticket, let result):
                Failpoint.reach(.afterApply)
                invariant(!isUndisturbed || result.isAsDecided, "2: a command that was decided is refused: \(result)")
                let told = result.map { $0.noting(isDurable: logged.isDurable, woken: woken) }
                waiters.reply(ticket, told.map { $0.told(progress) })
            case .settle(let ticket, let result):
                let told = result.map { $0.noting(isDurable: logged.isDurable, woken: woken) }
                waiters.settle(ticket, told.map { $0.dropped(after: roundClock?.waited) })
            case .arm(let round, let timeout): arm(round, timeout)
            case .quorum(let round): roundClock?.noteQuorum(round)
            case .disarm: roundClock?.stop()
            case .openGate: if end == nil { woken += gate.update(state.clocks, rule: state.clockRule) }
            }
        }
    }

    private func arm(_ round: Int, _ timeout: RoundTimeout) {
        var clock = roundClock ?? RoundClock(configuration.timers) { [weak self] in self?.post(.deadline) }
        clock.start(round, timeout)
        roundClock = clock
    }

    /// Proposes the settlement of a round at its deadline.
    private func settleRound() {
        guard end == nil, let clock = roundClock, clock.isDue, let round = clock.round else { return }
        // If the log refuses the record, there is another chance as long again later.
        roundClock?.extend()
        if let closing = state.closingAtDeadline(of: round) { decide(.closeRound(closing), Waiter { _ in }) }
    }

    /// Follows up on a message, once it has been released.
    private func rest() {
        leaseAlarm.set(to: end == nil ? state.leases.next : nil)
        for answer in waiters.takeAnswers() { answer() }
        for broadcast in broadcasts { broadcast.wake() }
        broadcasts.removeAll(keepingCapacity: true)
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
