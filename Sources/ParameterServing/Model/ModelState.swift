// The state machine of one model. It uses no disk, clock, thread or socket: commands go in, effects come out as values.
// `decide` checks a command before it is logged; `apply` executes it afterwards and decides again by the current state,
// so that every reader of the log gets the same result. Driven by the live model, a start, a rollback and `replay`.

import Optimizers
import Threading

/// The state of one model.
///
/// Used by one thread at a time.
///
/// 1. Records are applied in the order of the log: no position is applied twice, and none after a later one.
/// 2. The version never decreases, whatever is restored.
/// 3. Each push that waits for its outcome is counted in `stepsUnderWay` from its decision until it is applied.
/// 4. A receipt has the step after its push: the next step if the update was applied, otherwise the same step.
struct ModelState: @unchecked Sendable {
    /// The result of `decide`.
    enum Verdict {
        /// Log it, with the time of its admission, and then apply it.
        case proceed(Command)
        /// It has already been applied; this is the answer.
        case repeated(StoredAnswer)
    }

    private(set) var optimizer: ModelOptimizer
    private(set) var facts: ModelFacts
    private(set) var version: Int
    private(set) var history: VersionHistory
    private(set) var arena: Arena
    var averages: ModelAverages
    var ledger: WorkerLedger
    var keys: KeyLedger
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
    /// The number of logged pushes that will advance the step when they are applied.
    var stepsUnderWay = 0
    let pool: ArenaPool
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
    }

    /// The current size of data other than tensors.
    var keptBytes: Int { ledger.bytes + keys.bytes + history.bytes }

    /// Records the position of its creation.
    mutating func begin(at position: UInt64) {
        firstPosition = position
        self.position = position + 1
    }

    /// Continues from an image with the given values.
    mutating func adopt(_ head: ImageHead) {
        version = head.version
        history = head.history
        divergence = head.divergence
        areSlotsSpoiled = head.areSlotsSpoiled
        firstPosition = head.position
        position = head.position
        ledger.restore(workers: head.workers, expired: head.expired)
        keys.restore(head.keys, forgotten: head.forgottenKeys)
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
        if ticket != nil, command.isPush {
            invariant(stepsUnderWay > 0, "3: a push is applied that was not decided")
            stepsUnderWay -= 1
        }
        let before = version
        var effects: [Effect] = []
        let result = Result { () throws(ServingError) in Outcome(answer: try carryOut(command)) }
        if ticket != nil, command.isPromisedArena { pool.keepPromise() }
        invariant(version >= before, "2: version \(version) after \(before)")
        if version > before { effects.append(.publish) }
        if case .failure(.diverged(let parameter, nil)) = result { effects.append(.markDiverged(parameter)) }
        if let ticket { effects.append(.reply(ticket, result)) }
        kept.follow(keptBytes)
        return effects
    }

    private mutating func carryOut(_ command: Command) throws(ServingError) -> StoredAnswer {
        if command.writesValues { areModest = nil }
        switch command {
        case .push(let push): return .receipt(try apply(push))
        case .importValues(let values, let present, let ifVersion):
            try check(ifVersion)
            importing(values, present: present)
        case .restore(let restoration): try restoring(restoration)
        case .register(let worker, let sighting):
            if let expired = sighting?.expires { ledger.expire(expired) }
            let lastSeq = ledger.lastSeq(of: worker)
            return .registered(epoch: ledger.register(worker, seen: sighting), lastSeq: lastSeq)
        case .dismiss(let worker):
            try ledger.checkKnown(worker)
            ledger.expire(worker)
            return .deleted
        case .note(let answer): return answer
        case .keyed(let key, _, let command): return try apply(command, under: key)
        case .reconfigure(let patch, let ifVersion):
            let settings = try patched(by: patch, ifVersion: ifVersion)
            let added = try slotBytesAdded(by: settings)
            let changed = try reconfigured(with: settings, isOwed: true)
            if changed.plan.definition == optimizer.plan.definition { break }
            optimizer = changed
            averages.follow(changed.plan.averages)
            // A logged change is applied even if the budget is used up.
            addedSlots = nil
            addedSlots = pool.budget.owe(added)
            facts = ModelFacts(
                name: facts.name, uid: facts.uid, plan: optimizer.plan,
                memory: pool.budget.owe(definitionBytes(settings)))
            advanceVersion()
        }
        return .changed(step: optimizer.step, version: version)
    }

    /// A refused command releases its key.
    private mutating func apply(_ command: Command, under key: RequestKey) throws(ServingError) -> StoredAnswer {
        keys.abandon(key)
        let answer = try carryOut(command)
        keys.finish(key, answer)
        return answer
    }

    private mutating func apply(_ push: Push) throws(ServingError) -> Receipt {
        defer { if stepsUnderWay == 0 { leaveScratch() } }
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
        let receipt = try update(with: push, gap: gap)
        if let expired = push.sighting?.expires { ledger.expire(expired) }
        hasMadeRoom = true
        if let key = push.key { ledger.finish(key, push.fingerprint, receipt, seen: push.sighting) }
        return receipt
    }

    private mutating func update(with push: Push, gap: Int) throws(ServingError) -> Receipt {
        let before = optimizer.step
        let scaleBefore = optimizer.lossScale
        let (next, held) = nextArena()
        let written = optimizer.written(by: push.gradients)
        var gradients = push.gradients
        let report: UpdateReport
        do {
            let current = UnsafePointer(arena.buffer.base)
            report = try optimizer.update(
                &gradients, from: current, to: next.buffer.base, held: held, areModest: areModest,
                keepsSlots: push.keepsSlots
            ) { bytes in scratch.raise(to: bytes) }
        } catch {
            if case .diverged(let parameter, nil) = error {
                (divergence, areSlotsSpoiled) = (parameter, !push.keepsSlots)
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
        if report.learningRates != latestRates {
            latestRates = report.learningRates
            latestRatesMemory = RatesMemory(latestRates, pool.budget)
        }
        let base = base(of: push, before: before)
        if report.applied || optimizer.lossScale != scaleBefore { advanceVersion() }
        return Receipt(
            applied: report.applied, step: optimizer.step, version: version, learningRates: latestRates,
            ratesMemory: latestRatesMemory, staleness: base.staleness, isFromLeftBranch: base.isLeft,
            gradientNorm: report.gradientNorm, clippedGradientNorm: report.clippedGradientNorm,
            updateRatio: report.updateRatio, overflow: report.overflow,
            nextLossScale: optimizer.plan.lossScaling == nil ? nil : optimizer.lossScale, gap: gap)
    }

    private mutating func advanceVersion() {
        version += 1
        history.note(version: version, step: optimizer.step)
    }

    /// The number of steps between a gradient's origin and the step `before`; a gradient from an abandoned branch is
    /// always stale.
    private func base(of push: Push, before: Int) -> (staleness: Int, isLeft: Bool) {
        switch push.basedOn {
        case nil: return (0, false)
        case .step(let step): return (max(0, before - step), false)
        case .cursor(let cursor):
            let isLeft = history.hasLeft(cursor.version, current: version)
            return (max(isLeft ? 1 : 0, before - history.step(of: cursor.version)), isLeft)
        }
    }

    private mutating func restoring(_ restoration: Restoration) throws(ServingError) {
        try check(restoration)
        try optimizer.adopt(restoration.optimizer)
        if let arena = restoration.arena {
            replaceArena(with: arena, written: nil)
            averages.restore(restoration.optimizer.averages)
        }
        (divergence, areSlotsSpoiled) = (nil, false)
        version += 1
        history.noteReturn(version: version, step: optimizer.step, source: restoration.version)
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
