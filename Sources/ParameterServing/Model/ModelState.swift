// The state machine of one model. It touches no disk, clock, thread or socket: commands go in, effects come out as values.
// `decide` looks before a command is logged; `apply` acts after it has been, and decides again by the state that it then
// finds, so that every reader of the log comes to the same. The live model, a start, a rollback and `replay` drive it.

import Optimizers
import Threading

/// What one model is, as whoever drives it sees it; one thread at a time.
///
/// 1. Records are applied in the order of the log: a position is never applied again, nor one before it.
/// 2. The version never falls, whatever is restored.
/// 3. Each push that waits for its outcome is counted in `stepsUnderWay` from its decision until it is applied.
/// 4. A receipt tells the step that its update came to: the next one where it was applied, the same one where not.
struct ModelState: @unchecked Sendable {
    /// What `decide` found.
    enum Verdict {
        /// To be logged, with the moment of its admission, and applied.
        case proceed(Command)
        /// Applied before; this is the answer.
        case repeated(StoredAnswer)
    }

    private(set) var optimizer: ModelOptimizer
    private(set) var facts: ModelFacts
    private(set) var version: Int
    private(set) var history: VersionHistory
    private(set) var arena: Arena
    var ledger: WorkerLedger
    var keys: KeyLedger
    /// The parameter that an update made non-finite; no push is taken until values are imported or restored.
    private(set) var divergence: String?
    /// Whether that update left its slots, as those did that a daemon of the first releases logged.
    private(set) var areSlotsSpoiled = false
    /// Whether the last update says so of all values; nil where something else wrote them.
    ///
    /// See `ModelOptimizer.update`.
    private(set) var areModest: Bool?
    /// Its first record in the journal, or the first that the image it came from does not hold.
    private(set) var firstPosition: UInt64 = 0
    /// The journal position up to which, exclusive, commands have been applied.
    private(set) var position: UInt64 = 0
    /// Of what the model was created.
    let fingerprint: Fingerprint
    /// Pushes that are logged and will move the step when they are applied.
    var stepsUnderWay = 0
    let pool: ArenaPool
    /// What the budget lends for slots and arrays of rates.
    let memory: Reservation
    /// The bytes of slots that the model was given at its start, and those that patches have added since.
    let slotBytes: Int
    private(set) var addedSlots: Reservation?
    /// How many times values were written, for their stamps.
    private var writes = 0
    /// The rates of the last update: receipts with the same ones share their memory, for they are kept in thousands.
    private(set) var latestRates: [Float?] = []
    private var latestRatesMemory = RatesMemory()
    /// What the model keeps beside tensors.
    var kept: KeptMemory
    /// What the update takes that is under way, and the most that one of those to come will.
    var scratch: KeptMemory

    /// A new model.
    init(
        facts: ModelFacts, fingerprint: Fingerprint, optimizer: ModelOptimizer, arena: Arena, pool: ArenaPool,
        memory: Reservation, slotBytes: Int, kept: KeptMemory, scratch: KeptMemory, configuration: ServingConfiguration
    ) {
        self.optimizer = optimizer
        self.facts = facts
        self.fingerprint = fingerprint
        self.version = 1
        self.history = VersionHistory(version: 1, step: optimizer.step)
        self.arena = arena
        self.ledger = WorkerLedger(configuration)
        self.keys = KeyLedger(configuration)
        self.pool = pool
        self.memory = memory
        self.slotBytes = slotBytes
        self.kept = kept
        self.scratch = scratch
    }

    /// What is kept beside tensors now.
    var keptBytes: Int { ledger.bytes + keys.bytes + history.bytes }

    /// Notes where the record of its creation is.
    mutating func begin(at position: UInt64) {
        firstPosition = position
        self.position = position + 1
    }

    /// Goes on from an image whose values it has been given.
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

    /// Leaves out versions that clients may have seen and that are lost: as after a restore, they are another branch.
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

    /// Carries the logged command at `position` out, and counts what is kept of it.
    ///
    /// Deterministic: the same commands from the same state give the same bits.
    ///
    /// - Parameter ticket: who waits for the outcome; nil for a record that is read again.
    /// - Returns: what is to be done outside, in that order.
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
            // What has been logged is done even when the budget is spent.
            addedSlots = nil
            addedSlots = pool.budget.owe(added)
            facts = ModelFacts(
                name: facts.name, uid: facts.uid, plan: optimizer.plan,
                memory: pool.budget.owe(definitionBytes(settings)))
            advanceVersion()
        }
        return .changed(step: optimizer.step, version: version)
    }

    /// A command that is refused leaves its key free.
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
        if report.applied { replaceArena(with: next, written: written) }
        if report.learningRates != latestRates {
            latestRates = report.learningRates
            latestRatesMemory = RatesMemory(latestRates, pool.budget)
        }
        let base = base(of: push, before: before)
        if report.applied || optimizer.lossScale != scaleBefore { advanceVersion() }
        return Receipt(
            applied: report.applied, step: optimizer.step, version: version, learningRates: latestRates,
            ratesMemory: latestRatesMemory, staleness: base.staleness, isFromLeftBranch: base.isLeft,
            gradientNorm: report.gradientNorm,
            updateRatio: report.updateRatio, overflow: report.overflow,
            nextLossScale: optimizer.plan.lossScaling == nil ? nil : optimizer.lossScale, gap: gap)
    }

    private mutating func advanceVersion() {
        version += 1
        history.note(version: version, step: optimizer.step)
    }

    /// How far a gradient's origin is behind the step `before`; one of a branch that was left is stale in any case.
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
        if let arena = restoration.arena { replaceArena(with: arena, written: nil) }
        (divergence, areSlotsSpoiled) = (nil, false)
        version += 1
        history.noteReturn(version: version, step: optimizer.step, source: restoration.version)
    }

    /// A version with some values replaced.
    ///
    /// Slots that a divergence has spoiled start from their first values.
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

    /// An arena for the next version, and which parameters it holds as they are now.
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
