// The state machine of one model. It uses no disk, clock, thread or socket: commands go in, effects come out as values.
// `decide` checks a command before it is logged; `apply` executes it afterwards and decides again by the current state,
// so that every reader of the log gets the same result. Driven by the live model, a start, a rollback and `replay`.

import Names
import Optimizers
import Threading

/// The state of one model.
///
/// Used by one thread at a time.
///
/// 1. Records are applied in the order of the log: no position is applied twice, and none after a later one.
/// 2. The version never decreases, whatever is restored.
/// 3. Each push, closing of a round and change of registrations is in `forecast` from its decision until it is applied.
/// 4. A receipt has the step after its push: the next step if the update was applied, otherwise the same step.
struct ModelState: @unchecked Sendable {
    private(set) var optimizer: ModelOptimizer
    private(set) var facts: ModelFacts
    private(set) var version: Int
    private(set) var history: VersionHistory
    private(set) var arena: Arena
    var averages: ModelAverages
    var ledger: WorkerLedger
    /// When leases run out; not part of the state that a replay makes.
    var leases = LeaseClock()
    var keys: KeyLedger
    /// The history of its training, from all pushes and reports.
    var trainingHistory = TrainingHistory()
    /// The number of events so far, including its creation; readers of events resume at such a number.
    private(set) var eventCount = 0
    /// The events of the command being applied.
    private var happened: [ModelEvent] = []
    /// The parameter that an update made non-finite; pushes are refused until values are imported or restored.
    var divergence: String?
    /// Whether that update kept its slots changed, as in logs of the first releases.
    var areSlotsSpoiled = false
    /// Whether all values are modest, from the last update; nil if something else wrote them.
    ///
    /// See `ModelOptimizer.update`.
    var areModest: Bool?
    /// Its first record in the journal, or the first that its image does not include.
    private(set) var firstPosition: UInt64 = 0
    /// The first journal position that has not been applied.
    private(set) var position: UInt64 = 0
    /// The fingerprint of its creation.
    let fingerprint: Fingerprint
    /// The round and the step once everything that has been decided is applied.
    var forecast = RoundForecast()
    /// The open round.
    var round = Round()
    /// The pushes that were refused since the start because their round had closed; not part of the state that a replay
    /// makes, because they are not in the log.
    var latePushes = 0
    /// The clocks of mode `ssp`.
    var clocks = WorkerClocks()
    /// The effects of the command being applied, other than its version and its reply.
    private var effects: [Effect] = []
    /// The arenas of the current layout.
    private(set) var pool: ArenaPool
    /// The budget's loan for slots and arrays of rates.
    let memory: Reservation
    /// The bytes of the slots at the model's start, and those that patches have added since.
    let slotBytes: Int
    private(set) var addedSlots: Reservation?
    /// The number of writes of values so far; stamps refer to it.
    private var writes = 0
    /// The rates of the last update: receipts with the same rates share their memory, because there are thousands.
    var latestRates: [Float?] = []
    var latestRatesMemory = RatesMemory()
    /// The hyperparameters of the last push that had any; receipts share them.
    var latestBrought: Hyperparameters?
    var latestBroughtMemory = RatesMemory()
    /// The memory of data other than tensors.
    var kept: KeptMemory
    /// The memory of the update in progress, and the most that a future one needs.
    var scratch: KeptMemory

    /// Makes a new model.
    init(
        facts: ModelFacts, fingerprint: Fingerprint, optimizer: ModelOptimizer, arena: Arena, averages: ModelAverages,
        pool: ArenaPool, memory: Reservation, slotBytes: Int, kept: KeptMemory, scratch: KeptMemory,
        configuration: ServingConfiguration
    ) {
        self.optimizer = optimizer
        self.facts = facts
        self.fingerprint = fingerprint
        self.version = 1
        self.history = VersionHistory(version: 1, step: optimizer.step)
        self.arena = arena
        self.averages = averages
        self.ledger = WorkerLedger(configuration)
        self.keys = KeyLedger(configuration)
        self.pool = pool
        self.memory = memory
        self.slotBytes = slotBytes
        self.kept = kept
        self.scratch = scratch
        pool.expect(reductions: facts.consistency.hasRounds)
    }

    /// Records the position of its creation.
    mutating func begin(at position: UInt64) {
        firstPosition = position
        self.position = position + 1
        round.begin(at: position)
        eventCount = 1
    }

    /// Continues from an image with the given values.
    ///
    /// - Throws: for a round that cannot be read.
    mutating func adopt(_ head: ImageHead) throws(FormatError) {
        version = head.version
        history = head.history
        trainingHistory = head.trainingHistory
        eventCount = head.eventCount
        divergence = head.divergence
        areSlotsSpoiled = head.areSlotsSpoiled
        firstPosition = head.position
        position = head.position
        ledger.restore(workers: head.workers, expired: head.expired, epochs: head.epochs)
        keys.restore(head.keys, forgotten: head.forgottenKeys)
        round = try head.round.read(in: layout, pool, isRegistered: ledger.isRegistered)
        clocks = head.clocks
        var rates = SharedRates(pool.budget)
        ledger.share(&rates)
        keys.share(&rates)
        kept.follow(keptBytes)
    }

    /// Skips versions that clients may have seen but that are lost: as after a restore, they are another branch.
    mutating func skip(versions: Int, at position: UInt64) {
        advance(past: position)
        guard versions > 0 else { return }
        let source = version
        version += versions
        ledger.skipEpochs(versions)
        eventCount += versions * ServingConfiguration.eventsPerRecord
        history.noteReturn(version: version, step: optimizer.step, source: source)
    }

    private mutating func advance(past position: UInt64) {
        invariant(position >= self.position, "1: record \(position) after \(self.position)")
        self.position = position + 1
    }

    /// Applies the logged command at `position`, and counts the data that it keeps.
    ///
    /// Deterministic: the same commands from the same state give the same bits.
    ///
    /// - Parameter ticket: identifies the waiting request; nil for a replayed record.
    /// - Returns: the effects, in order.
    mutating func apply(_ command: Command, at position: UInt64, for ticket: Ticket? = nil) -> [Effect] {
        advance(past: position)
        let (before, wasSound) = (version, divergence == nil)
        let result = Result { () throws(ServingError) in Outcome(answer: try carryOut(command, for: ticket)) }
        if ticket != nil, command.isForecast { forecast.remove(roundView, policy) }
        if forecast.count == 0 { leaveScratch() }
        if ticket != nil, command.isPromisedArena { pool.keepPromise() }
        invariant(version >= before, "2: version \(version) after \(before)")
        // Readers see a version before anyone is told of it.
        var effects: [Effect] = version > before ? [.publish] : []
        if wasSound, let divergence { effects.append(.markDiverged(divergence)) }
        for event in happened {
            eventCount += 1
            effects.append(.event(event, number: eventCount, time: command.time))
        }
        effects += self.effects
        self.effects = []
        happened.removeAll(keepingCapacity: true)
        if let ticket { effects.append(.reply(ticket, result)) }
        kept.follow(keptBytes)
        return effects
    }

    /// Adds an effect of the command being applied.
    mutating func emit(_ effect: Effect) { effects.append(effect) }

    /// Notifies followers of the model once the command has been applied.
    mutating func announce(_ event: ModelEvent) { happened.append(event) }

    mutating func reconfigure(with patch: SettingsPatch, ifVersion: [Int]?) throws(ServingError) {
        let settings = try patched(by: patch, ifVersion: ifVersion)
        let added = try slotBytesAdded(by: settings)
        let changed = try reconfigured(with: settings, isOwed: true)
        let consistency = try wrapping { () throws(OptimizerError) in try Consistency(of: settings) }
        let moved = try moved(by: patch, changed, isOwed: true)
        if changed.plan.definition == optimizer.plan.definition, moved == nil { return }
        let (before, former) = ((facts: facts, placement: self.pool.placement), policy)
        optimizer = changed
        averages.follow(changed.plan.averages)
        // A logged change is applied even if the budget is used up.
        addedSlots = nil
        addedSlots = pool.budget.owe(added)
        facts = ModelFacts(
            name: facts.name, uid: facts.uid, plan: optimizer.plan, consistency: consistency, pool: pool,
            layoutChanges: facts.layoutChanges, memory: pool.budget.owe(definitionBytes(settings, layout)))
        if let moved { adopt(moved, arena) }
        advanceVersion()
        announce(.patch(patched(from: before.facts, before.placement)))
        followPolicy(after: former)
        pool.expect(reductions: consistency.hasRounds)
    }

    /// Counts a new version whose values are those of an earlier one.
    mutating func returnVersion(to source: Int?) {
        version += 1
        history.noteReturn(version: version, step: optimizer.step, source: source)
    }

    /// Counts a new version.
    mutating func advanceVersion() {
        version += 1
        history.note(version: version, step: optimizer.step)
    }

    /// Continues in another layout; the caller makes the version.
    ///
    /// - Parameters:
    ///   - next: the optimizer of that layout.
    ///   - pool: its arenas.
    ///   - values: the parameters' values in it.
    mutating func adopt(_ next: ModelOptimizer, _ pool: ArenaPool, _ values: Arena) {
        pool.takePromises(of: self.pool)
        var changes = facts.layoutChanges
        changes.note(from: self.pool.placement, to: pool.placement, version: version + 1)
        self.pool = pool
        optimizer = next
        round.move(to: pool)
        averages.move(to: pool, values)
        replaceArena(with: values, written: nil)
        // A logged change is applied even if the budget is used up.
        addedSlots = nil
        addedSlots = pool.budget.owe(max(0, next.plan.byteCount - slotBytes))
        facts = ModelFacts(
            name: facts.name, uid: facts.uid, plan: next.plan, consistency: facts.consistency, pool: pool,
            layoutChanges: changes,
            memory: pool.budget.owe(definitionBytes(next.plan.definition, next.plan.layout) + changes.bytes))
    }

    mutating func replaceArena(with next: Arena, written: [Bool]?) {
        writes += 1
        next.stamps = arena.stamps?.after(write: writes, of: written) ?? ArenaStamps(all: writes)
        arena = next
    }
}
