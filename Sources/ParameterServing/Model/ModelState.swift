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
    /// The result of `decide`.
    enum Verdict {
        /// Log it, with the time of its admission, and then apply it.
        case proceed(Command)
        /// It has already been applied; this is the answer.
        case repeated(StoredAnswer)
        /// Only commands on their way to the log refuse it, and they may never get there: once they have been logged or
        /// have failed, decide it again.
        case deferred(ServingError)
    }

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
    private(set) var divergence: String?
    /// Whether that update kept its slots changed, as in logs of the first releases.
    private(set) var areSlotsSpoiled = false
    /// Whether all values are modest, from the last update; nil if something else wrote them.
    ///
    /// See `ModelOptimizer.update`.
    private(set) var areModest: Bool?
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
    private(set) var latestRates: [Float?] = []
    private var latestRatesMemory = RatesMemory()
    /// The hyperparameters of the last push that had any; receipts share them.
    private(set) var latestBrought: Hyperparameters?
    private var latestBroughtMemory = RatesMemory()
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

    /// The current size of data other than tensors.
    var keptBytes: Int {
        ledger.bytes + leases.bytes + keys.bytes + history.bytes + round.bytes + clocks.bytes + trainingHistory.bytes
    }

    /// The number of updates in progress.
    var stepsUnderWay: Int { forecast.count == 0 ? 0 : max(0, forecast.view(after: roundView).step - optimizer.step) }

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

    private mutating func carryOut(
        _ command: Command, for ticket: Ticket?, under key: RequestKey? = nil
    ) throws(ServingError) -> StoredAnswer {
        if command.writesValues { areModest = nil }
        switch command {
        case .push(let push): return .receipt(try apply(push, under: key, for: ticket))
        case .closeRound(let closing): return try carryOut(closing)
        case .importValues(let values, let present, let ifVersion):
            try check(ifVersion)
            importing(values, present: present)
            announce(.imported(step: optimizer.step, version: version))
        case .restore(let restoration):
            try restoring(restoration)
            announce(.restored(step: optimizer.step, version: version, checkpoint: restoration.checkpoint))
        case .register(let registration, let sighting):
            return register(registration, seen: sighting)
        case .endLeases(let ended):
            end(ended)
            return .deleted
        case .dismiss(let worker):
            try ledger.checkKnown(worker)
            forget(worker, because: .deleted)
            return .deleted
        case .note(let answer): return answer
        case .report(let report): return record(report)
        case .keyed(let key, _, let command): return try apply(command, under: key, for: ticket)
        case .admitted(.note(.saved(let facts)), _):
            // The notes of earlier releases have no time, and their checkpoints had no numbers among the events.
            announce(.checkpoint(facts))
            return .saved(facts)
        case .admitted(let command, _): return try carryOut(command, for: ticket, under: key)
        case .reconfigure(let patch, let ifVersion): try reconfigure(with: patch, ifVersion: ifVersion)
        case .grow(let growth, let ifVersion): try grow(by: growth, ifVersion: ifVersion)
        }
        return .changed(step: optimizer.step, version: version)
    }

    private mutating func reconfigure(with patch: SettingsPatch, ifVersion: [Int]?) throws(ServingError) {
        let settings = try patched(by: patch, ifVersion: ifVersion)
        let added = try slotBytesAdded(by: settings)
        let changed = try reconfigured(with: settings, isOwed: true)
        let consistency = try wrapping { () throws(OptimizerError) in try Consistency(of: settings) }
        let moved = try moved(by: patch, changed, isOwed: true)
        if changed.plan.definition == optimizer.plan.definition, moved == nil { return }
        let (before, former) = ((definition: optimizer.plan.definition, placement: self.pool.placement), policy)
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
        announce(.patch(patched(from: before.definition, before.placement)))
        followPolicy(after: former)
        pool.expect(reductions: consistency.hasRounds)
    }

    /// A refused command releases its key.
    private mutating func apply(
        _ command: Command, under key: RequestKey, for ticket: Ticket?
    ) throws(ServingError) -> StoredAnswer {
        keys.abandon(key)
        let answer = try carryOut(command, for: ticket, under: key)
        keys.finish(key, answer)
        return answer
    }

    private mutating func apply(
        _ push: Push, under requestKey: RequestKey?, for ticket: Ticket?
    ) throws(ServingError) -> Receipt {
        if let key = push.key { ledger.abandon(key) }
        var hasMadeRoom = false
        defer { if !hasMadeRoom { ledger.leaveRoom(push.sighting) } }
        var gap = 0
        if let key = push.key {
            switch try ledger.findLogged(key) {
            case .new(let missing): gap = missing
            case .applied(let receipt, _): return receipt
            case .pending: break
            }
        }
        if let divergence { throw .diverged(parameter: divergence) }
        let isNew = push.key.map { ledger.workers[$0.worker] == nil } ?? false
        let before = version
        let receipt = try settle(push, under: requestKey, gap: gap, for: ticket)
        hasMadeRoom = true
        if isNew, let worker = push.key?.worker {
            announce(.workerJoined(worker, epoch: ledger.epoch(of: worker)))
        }
        if receipt.round == nil {
            trainingHistory.add(updateOf: receipt, time: push.sighting?.time ?? 0)
            trainingHistory.add(push, receipt)
            if version > before { announce(.update(step: optimizer.step, version: version, loss: push.loss)) }
        }
        guard let key = push.key else { return receipt }
        ledger.finish(key, push.fingerprint, receipt, seen: push.sighting)
        guard let expired = push.sighting?.expires else { return receipt }
        forget(expired, because: .replaced)
        // The round may have waited only for the worker that has been replaced.
        if case .applied(let final, _) = try ledger.findLogged(key) { return final }
        return receipt
    }

    /// Applies a push, or keeps it in the round, as the policy decides.
    private mutating func settle(
        _ push: Push, under requestKey: RequestKey?, gap: Int, for ticket: Ticket?
    ) throws(ServingError) -> Receipt {
        switch decision(about: push, under: requestKey) {
        case .refuse(let error): throw error
        case .apply(let divisor):
            var gradients = push.gradients
            if divisor != 1 { gradients.divide(by: divisor, in: layout) }
            let base = base(of: push, before: optimizer.step)
            var receipt = try update(
                &gradients, bringing: push.hyperparameters, keepsSlots: push.keepsSlots, gap: gap, base)
            receipt.isDivided = divisor != 1
            tick(push.key?.worker)
            return receipt
        case .hold: return hold(push, under: requestKey, gap: gap, at: position - 1, for: ticket)
        case .close:
            _ = hold(push, under: requestKey, gap: gap, at: position - 1, for: nil)
            return try closeRound(.full, askedAt: position - 1)
        }
    }

    /// Takes a step.
    ///
    /// - Parameters:
    ///   - brought: the hyperparameters of this step alone; nil if there are none.
    ///   - gap: as in the receipt.
    ///   - base: the staleness of the gradients, and their branch if it was abandoned.
    mutating func update(
        _ gradients: inout Gradients, bringing brought: Hyperparameters?, keepsSlots: Bool, gap: Int,
        _ base: (staleness: Int?, left: LeftBranch?)
    ) throws(ServingError) -> Receipt {
        let before = optimizer.step
        let scaleBefore = optimizer.lossScale
        let (next, held) = nextArena()
        let written = optimizer.written(by: gradients)
        let report: UpdateReport
        do {
            let current = UnsafePointer(arena.buffer.base)
            report = try optimizer.update(
                &gradients, bringing: brought, from: current, to: next.buffer.base, held: held, areModest: areModest,
                keepsSlots: keepsSlots
            ) { bytes in scratch.raise(to: bytes) }
        } catch {
            if case .diverged(let parameter, nil) = error {
                (divergence, areSlotsSpoiled) = (parameter, !keepsSlots)
            }
            throw ServingError(error)
        }
        let step = report.applied ? before + 1 : before
        invariant(optimizer.step == step, "4: step \(optimizer.step), not \(step)")
        if report.applied { areModest = report.areModest }
        if report.applied {
            replaceArena(with: next, written: written)
            averages.takeIn(next, at: step, facts.layout)
        }
        share(report.learningRates, brought)
        if report.applied || optimizer.lossScale != scaleBefore { advanceVersion() }
        return Receipt(
            applied: report.applied, step: optimizer.step, version: version, learningRates: latestRates,
            ratesMemory: latestRatesMemory, staleness: base.staleness, isFromLeftBranch: base.left != nil,
            gradientNorm: report.gradientNorm, clippedGradientNorm: report.clippedGradientNorm,
            updateRatio: report.updateRatio, overflow: report.overflow,
            nextLossScale: optimizer.plan.lossScaling == nil ? nil : optimizer.lossScale, gap: gap,
            hyperparameters: brought == nil ? nil : latestBrought,
            broughtMemory: brought == nil ? RatesMemory() : latestBroughtMemory)
    }

    /// Keeps what the next receipts share with this one.
    private mutating func share(_ rates: [Float?], _ brought: Hyperparameters?) {
        if rates != latestRates { (latestRates, latestRatesMemory) = (rates, RatesMemory(rates, pool.budget)) }
        guard let brought, brought != latestBrought else { return }
        (latestBrought, latestBroughtMemory) = (brought, RatesMemory(brought, pool.budget))
    }

    private mutating func record(_ report: Report) -> StoredAnswer {
        let step = min(report.step ?? optimizer.step, optimizer.step)
        trainingHistory.add(report.scalars, step: step, time: report.sighting?.time ?? 0)
        return .changed(step: step, version: version)
    }

    /// Counts a new version.
    mutating func advanceVersion() {
        version += 1
        history.note(version: version, step: optimizer.step)
    }

    /// The number of steps between a gradient's origin and the step `before`; a gradient from an abandoned branch is
    /// always stale.
    ///
    /// The number is nil if the push does not name its origin.
    func base(of push: Push, before: Int) -> (staleness: Int?, left: LeftBranch?) {
        switch push.basedOn {
        case nil: return (nil, nil)
        case .step(let step): return (max(0, before - step), nil)
        case .cursor(let cursor):
            let step = history.step(of: cursor.version)
            let left = history.stepOfReturn(leaving: cursor.version, current: version).map {
                LeftBranch(step: step, returnedTo: $0)
            }
            return (max(left == nil ? 0 : 1, before - step), left)
        }
    }

    private mutating func restoring(_ restoration: Restoration) throws(ServingError) {
        let next = try continuing(from: restoration, isOwed: true)
        try next.adopt(restoration.optimizer)
        if let arena = restoration.arena {
            if next !== optimizer {
                dropRound(.restored)
                adopt(next, ArenaPool(arena.placement, budget: pool.budget), arena)
            } else {
                replaceArena(with: arena, written: nil)
            }
            averages.restore(restoration.optimizer.averages)
        }
        (divergence, areSlotsSpoiled) = (nil, false)
        trainingHistory.cut(after: optimizer.step)
        dropRound(.restored)
        version += 1
        history.noteReturn(version: version, step: optimizer.step, source: restoration.version)
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

    /// A version with some values replaced.
    ///
    /// Slots spoiled by a divergence are reset to their initial values.
    private mutating func importing(_ values: Arena, present: [Bool]) {
        let (next, held) = nextArena()
        for (index, parameter) in facts.layout.parameters.enumerated() {
            if !present[index], !held.isEmpty, held[index] { continue }
            let source = present[index] ? values : arena
            (next.buffer.base + parameter.range.lowerBound)
                .update(from: source.buffer.base + parameter.range.lowerBound, count: parameter.range.count)
        }
        if areSlotsSpoiled { optimizer.resetSlots() }
        (divergence, areSlotsSpoiled) = (nil, false)
        replaceArena(with: next, written: present)
        advanceVersion()
    }

    /// An arena for the next version, and which parameters in it are already up to date.
    private func nextArena() -> (Arena, held: [Bool]) {
        let next = pool.takeForVersion()
        defer { next.stamps = nil }
        guard let old = next.stamps, let now = arena.stamps else { return (next, []) }
        return (next, old.matches(now))
    }

    private mutating func replaceArena(with next: Arena, written: [Bool]?) {
        writes += 1
        next.stamps = arena.stamps?.after(write: writes, of: written) ?? ArenaStamps(all: writes)
        arena = next
    }
}
