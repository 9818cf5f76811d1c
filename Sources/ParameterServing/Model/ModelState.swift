// The state machine of one model. It touches no disk, clock, thread or socket: commands go in, outcomes come out, and
// what has to be done outside is left to `Model`. `admit` looks before a command is logged; `apply` acts after it has
// been, and decides again by the state it then finds, so that a replay of the log decides the same.

import Optimizers

/// What one model is, as its executor sees it.
struct ModelState {
    /// What `admit` found.
    enum Admission {
        /// To be logged and applied.
        case proceed
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
    /// The journal position up to which, exclusive, commands have been applied.
    private(set) var position: UInt64
    /// Pushes that are logged and will move the step when they are applied.
    var stepsUnderWay = 0
    let pool: ArenaPool
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
        facts: ModelFacts, optimizer: ModelOptimizer, arena: Arena, pool: ArenaPool, slotBytes: Int, kept: KeptMemory,
        scratch: KeptMemory, configuration: ServingConfiguration
    ) {
        self.optimizer = optimizer
        self.facts = facts
        self.version = 1
        self.history = VersionHistory(version: 1, step: optimizer.step)
        self.arena = arena
        self.ledger = WorkerLedger(configuration)
        self.keys = KeyLedger(configuration)
        self.pool = pool
        self.slotBytes = slotBytes
        self.kept = kept
        self.scratch = scratch
        self.position = 0
    }

    /// What is kept beside tensors now.
    var keptBytes: Int { ledger.bytes + keys.bytes + history.bytes }

    /// Goes on from an image: all of it, or, for a restore, all but the version and what workers have pushed since.
    mutating func adopt(_ head: ImageHead, _ arena: Arena, optimizer: ModelOptimizer) {
        self.optimizer = optimizer
        self.arena = arena
        facts = ModelFacts(name: facts.name, uid: facts.uid, plan: optimizer.plan)
        version = head.version
        history = head.history
        divergence = head.divergence
        areSlotsSpoiled = head.areSlotsSpoiled
        areModest = nil
        position = head.position
        ledger.restore(workers: head.workers, expired: head.expired)
        keys.restore(head.keys, forgotten: head.forgottenKeys)
        var rates = SharedRates(pool.budget)
        ledger.share(&rates)
        keys.share(&rates)
        kept.follow(keptBytes)
    }

    /// The state as pulls may see it.
    var published: PublishedVersion {
        PublishedVersion(
            uid: facts.uid, version: version, step: optimizer.step, arena: arena, facts: facts,
            lossScale: optimizer.lossScale)
    }

    /// Notes that the record at `position` has been applied.
    mutating func advance(past position: UInt64) { self.position = position + 1 }

    /// Leaves out versions that clients may have seen and that are lost: as after a restore, they are another branch.
    mutating func skip(versions: Int) {
        guard versions > 0 else { return }
        let source = version
        version += versions
        history.noteReturn(version: version, step: optimizer.step, source: source)
    }

    /// Carries a logged command out, and counts what is kept of it.
    ///
    /// Deterministic: the same commands from the same state give the same bits.
    mutating func apply(_ command: Command) throws(ServingError) -> Outcome {
        defer { kept.follow(keptBytes) }
        return try carryOut(command)
    }

    private mutating func carryOut(_ command: Command) throws(ServingError) -> Outcome {
        if command.writesValues { areModest = nil }
        switch command {
        case .push(let push): return .receipt(try apply(push))
        case .importValues(let values, let present, let ifVersion):
            defer { pool.keepPromise() }
            try check(ifVersion)
            return .changed(importing(values, present: present))
        case .restore(let restoration): return .changed(try restoring(restoration))
        case .register(let worker, let sighting):
            if let expired = sighting?.expires { ledger.expire(expired) }
            let lastSeq = ledger.lastSeq(of: worker)
            return .registered(epoch: ledger.register(worker, seen: sighting), lastSeq: lastSeq)
        case .dismiss(let worker):
            try ledger.checkKnown(worker)
            ledger.expire(worker)
            return .noted(.deleted)
        case .note(let answer): return .noted(answer)
        case .keyed(let key, _, let command): return try apply(command, under: key)
        case .reconfigure(let patch, let ifVersion):
            let settings = try patched(by: patch, ifVersion: ifVersion)
            let added = try slotBytesAdded(by: settings)
            let changed = try reconfigured(with: settings, isOwed: true)
            if changed.plan.definition == optimizer.plan.definition { return .changed(published) }
            optimizer = changed
            // What has been logged is done even when the budget is spent.
            addedSlots = nil
            addedSlots = pool.budget.owe(added)
            facts = ModelFacts(
                name: facts.name, uid: facts.uid, plan: optimizer.plan,
                memory: pool.budget.owe(definitionBytes(settings)))
            advanceVersion()
            return .changed(published)
        }
    }

    /// A command that is refused leaves its key free.
    private mutating func apply(_ command: Command, under key: RequestKey) throws(ServingError) -> Outcome {
        keys.abandon(key)
        let outcome = try carryOut(command)
        if let answer = StoredAnswer(outcome) { keys.finish(key, answer) }
        return outcome
    }

    private mutating func apply(_ push: Push) throws(ServingError) -> Receipt {
        stepsUnderWay = max(0, stepsUnderWay - 1)
        defer { leaveRoom() }
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

    func check(_ restoration: Restoration) throws(ServingError) {
        let count = restoration.arena?.buffer.count ?? facts.layout.count
        guard count == facts.layout.count, optimizer.accepts(restoration.optimizer) else {
            throw .stateMismatch(facts.name)
        }
    }

    private mutating func restoring(_ restoration: Restoration) throws(ServingError) -> PublishedVersion {
        try check(restoration)
        do throws(OptimizerError) {
            try optimizer.importState(restoration.optimizer)
        } catch {
            throw ServingError(error)
        }
        if let arena = restoration.arena { replaceArena(with: arena, written: nil) }
        (divergence, areSlotsSpoiled) = (nil, false)
        version += 1
        history.noteReturn(version: version, step: optimizer.step, source: restoration.version)
        return published
    }

    /// A version with some values replaced.
    ///
    /// Slots that a divergence has spoiled start from their first values.
    private mutating func importing(_ values: Arena, present: [Bool]) -> PublishedVersion {
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
        return published
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
