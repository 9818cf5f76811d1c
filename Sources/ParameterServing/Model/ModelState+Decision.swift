// The refusals of a model before a command is logged, and its notes about commands on their way to the log: reserved
// keys, and steps to be counted. `ModelState+Withdrawal` takes them back.

import Optimizers
import Threading

extension ModelState {
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

    /// Judges a command, in this order: its key, its content, the state.
    ///
    /// - Parameters:
    ///   - command: as it arrived.
    ///   - now: the time logged with it, so that every reader of the log knows the same age.
    mutating func decide(_ command: Command, at now: Tick) throws(ServingError) -> Verdict {
        if let key = command.pushKey { leases.renew(key.worker, epoch: key.epoch, at: now) }
        do throws(ServingError) { return try admit(command, at: now) } catch {
            if case .roundClosed = error { latePushes += 1 }
            throw error
        }
    }

    /// Judges a command as `decide` does, without renewing the lease of its worker or counting it as late.
    mutating func admit(_ command: Command, at now: Tick) throws(ServingError) -> Verdict {
        let command = fitted(sighted(command, at: now))
        do throws(ServingError) { if let answer = try examine(command) { return .repeated(answer) } } catch {
            try refuse(command, for: error, at: now)
            return .deferred(error)
        }
        // Pushes in progress are already counted.
        do throws(ServingError) { try kept.makeRoom(for: keptBytes + command.bytesLeft(in: self)) } catch {
            forget(command, isNewest: true)
            throw error
        }
        return .proceed(command)
    }

    /// A command with the time of its admission and, if its worker exceeds the limit, the worker to replace.
    private mutating func sighted(_ command: Command, at now: Tick) -> Command {
        let expires = command.worker.flatMap { ledger.roomMaker(for: $0, at: now.time) }
        let sighting = Sighting(time: now.time, expires: expires)
        // Workers may have renewed these leases since their end was proposed.
        if case .endLeases(let ended) = command { return .endLeases(leases.end(ended, at: now)).seen(sighting) }
        return command.seen(sighting)
    }

    /// - Returns: The answer of its first arrival; nil for a command to be logged.
    private mutating func examine(
        _ command: Command, under key: RequestKey? = nil
    ) throws(ServingError) -> StoredAnswer? {
        switch command {
        case .push(let push): return try examine(push, under: key)
        case .closeRound(let closing):
            let isUpdate = try examine(closing)
            try pool.promise()
            forecast.add(closing: closing.round, isUpdate: isUpdate, after: roundView)
        case .importValues(let values, _, let ifVersion):
            try check(ifVersion)
            guard values.isPlaced(as: pool) else { throw .invalid([Self.layoutChanged]) }
            try pool.promise()
        case .restore(let restoration):
            try checkRoom(for: restoration)
            _ = try continuing(from: restoration)
        case .register(let registration, let sighting): try examine(registration, sighting)
        case .endLeases(let ended):
            if ended.isEmpty { return .deleted }
            forecast.add(departureOf: ended.filter(willEnd).map(\.worker), policy, after: roundView)
        case .dismiss(let worker):
            try ledger.checkKnown(worker)
            forecast.add(departureOf: willBeRegistered(worker) ? [worker] : [], policy, after: roundView)
        case .note: break
        case .report(let report): try check(report)
        case .keyed(let key, let ifVersion, let command):
            let layout = layout
            if let answer = try keys.find(key, or: { command.push?.wasStored(as: $0, in: layout) ?? false }) {
                return answer
            }
            try check(ifVersion)
            let answer = try examine(command, under: key)
            if answer == nil { keys.begin(key) }
            return answer
        case .admitted(let command, _): return try examine(command, under: key)
        case .reconfigure(let patch, let ifVersion): try examine(patch, ifVersion)
        case .grow(let growth, let ifVersion): try examine(growth, ifVersion)
        }
        return nil
    }

    func examine(_ patch: SettingsPatch, _ ifVersion: [Int]?) throws(ServingError) {
        let settings = try patched(by: patch, ifVersion: ifVersion)
        let more = try slotBytesAdded(by: settings) - (addedSlots?.bytes ?? 0) + averages.bytesAdded(by: settings)
        try checkStep(settings)
        try checkPushes(after: patch, settings)
        // For a time, memory holds several copies: the old settings, the new ones, and both during the change.
        _ = try pool.budget.reserve(max(0, more) + 3 * definitionBytes(settings, layout))
        try checkRoom(for: patch)
        let changed = try reconfigured(with: settings)
        try checkRound(after: try moved(by: patch, changed) ?? changed)
    }

    private mutating func examine(_ push: Push, under requestKey: RequestKey?) throws(ServingError) -> StoredAnswer? {
        if let receipt = try receipt(of: push) { return .receipt(receipt) }
        let (optimizer, arrival, decision) = try judge(push, under: requestKey)
        try trainingHistory.checkRoom(for: push.metrics, in: "metrics")
        try takeRoom(for: push, updatedBy: optimizer)
        if let key = push.key { ledger.begin(key, push.fingerprint) }
        ledger.reserveRoom(push.sighting)
        forecast.add(arrival, decision, after: roundView)
        return nil
    }

    /// The receipt of a push that has been applied before; nil for a new one.
    func receipt(of push: Push) throws(ServingError) -> Receipt? {
        guard let key = push.key else { return nil }
        switch try ledger.find(key, push.sighting) {
        case .applied(let receipt, let fingerprint):
            guard fingerprint == push.fingerprint || push.wasStored(as: fingerprint, in: layout) else {
                throw .pushReused(key)
            }
            return receipt
        case .pending(let fingerprint):
            throw fingerprint == push.fingerprint ? .pushInFlight(key) : .pushReused(key)
        case .new: return nil
        }
    }

    /// Judges a push that has not been sent before.
    ///
    /// - Returns: The optimizer of its update, and what its policy sees and decides.
    func judge(
        _ push: Push, under requestKey: RequestKey?
    ) throws(ServingError) -> (ModelOptimizer, ArrivingPush, Decision) {
        try checkFence(push.key)
        let optimizer = try judge(push)
        let (arrival, decision) = forecastDecision(push, under: requestKey)
        if case .refuse(let error) = decision { throw error }
        if decision == .close { try checkClosing(by: push) }
        try checkPushes(after: decision)
        return (optimizer, arrival, decision)
    }

    /// Reserves the memory for the push's update and its version.
    private mutating func takeRoom(for push: Push, updatedBy optimizer: ModelOptimizer) throws(ServingError) {
        do throws(ServingError) {
            try scratch.makeRoom(for: optimizer.updateBytes(push.gradients, areModest: areModest))
            try wrapping { () throws(OptimizerError) in
                try optimizer.makeRoom(for: push.gradients, areModest: areModest)
            }
            try pool.promise()
        } catch {
            if forecast.count == 0 { leaveScratch() }
            throw ModelSize(self).refusal ?? error
        }
    }

    /// Checks the content (422), then the state (409).
    ///
    /// - Returns: The optimizer of the update, with the hyperparameters of the push.
    @discardableResult
    func judge(_ push: Push) throws(ServingError) -> ModelOptimizer {
        if !push.complaints.isEmpty { throw .invalid(push.complaints) }
        let optimizer = try wrapping { () throws(OptimizerError) in
            try self.optimizer.varied(by: push.hyperparameters)
        }
        if let nonFinite = push.nonFinite, !optimizer.plan.skipsNonFinite { throw .invalid([nonFinite]) }
        if let divergence { throw .diverged(parameter: divergence) }
        try judge(push.basedOn)
        try wrapping { () throws(OptimizerError) in
            try optimizer.check(push.gradients, underWay: stepsUnderWay)
        }
        try checkRates(of: optimizer)
        if let brought = push.hyperparameters, brought != latestBrought {
            _ = try pool.budget.reserve((stepsUnderWay + 1) * brought.bytes)
        }
        return optimizer
    }

    private func judge(_ basis: Basis?) throws(ServingError) {
        switch basis {
        case .step(let step) where step > optimizer.step + stepsUnderWay:
            throw .basedOnFuture(basedOn: step, step: optimizer.step)
        case .cursor(let cursor) where cursor.uid != facts.uid || cursor.version > version:
            throw .cursorUnknown(cursor: "\(cursor)", newest: "\(published.cursor)")
        case .step, .cursor, nil: break
        }
    }

    /// The optimizer that can continue from a state: the model's own, or one for the layout of that state.
    ///
    /// - Throws: `stateMismatch`; `noMemory`.
    func continuing(from restoration: Restoration, isOwed: Bool = false) throws(ServingError) -> ModelOptimizer {
        let placement = restoration.placement ?? pool.placement
        let next = placement == pool.placement ? optimizer : try placed(likeState: placement, isOwed: isOwed)
        guard next.accepts(restoration.optimizer),
            restoration.optimizer.averages.allSatisfy({ $0.buffer.count == placement.count })
        else {
            throw .stateMismatch(facts.name)
        }
        return next
    }

    private func check(_ report: Report) throws(ServingError) {
        if let step = report.step, step > optimizer.step + stepsUnderWay {
            let detail =
                "`step` is \(step), but the model is at step \(optimizer.step); send the step that was measured"
            throw .invalid([Complaint(pointer: "/step", exception: .valueError, detail: detail)])
        }
        try trainingHistory.checkRoom(for: report.scalars, in: "scalars")
    }

    func check(_ ifVersion: [Int]?) throws(ServingError) {
        if let ifVersion, !ifVersion.contains(version) { throw .preconditionFailed(ifVersion, current: version) }
    }

    func patched(by patch: SettingsPatch, ifVersion: [Int]?) throws(ServingError) -> SettingValue {
        try check(ifVersion)
        return try wrapping { () throws(OptimizerError) in
            try patch.applied(to: facts.settings, layout: facts.layout)
        }
    }

    /// Refuses an update that has no rate, or whose rates have no room: those of the updates in progress and of one more,
    /// in case they differ from the latest rates.
    func checkRates(of optimizer: ModelOptimizer) throws(ServingError) {
        let step = optimizer.step + stepsUnderWay
        let rates = try wrapping { () throws(OptimizerError) in try optimizer.plan.learningRate(at: step) }
        guard rates.isLong, rates != latestRates else { return }
        _ = try pool.budget.reserve((stepsUnderWay + 1) * rates.bytes)
    }

    /// Whether gradients are multiplied by a loss scale, or skipped if they are not finite.
    fileprivate var isScaled: Bool { optimizer.plan.skipsNonFinite || optimizer.lossScale != 1 }

    func slotBytesAdded(by settings: SettingValue) throws(ServingError) -> Int {
        try wrapping { () throws(OptimizerError) in max(0, try optimizer.memoryNeeded(with: settings) - slotBytes) }
    }

    func reconfigured(with settings: SettingValue, isOwed: Bool = false) throws(ServingError) -> ModelOptimizer {
        try wrapping { () throws(OptimizerError) in try optimizer.reconfigured(with: settings, isOwed: isOwed) }
    }
}

extension Command {
    /// The memory that its execution adds, other than tensors.
    fileprivate func bytesLeft(in state: ModelState) -> Int {
        switch self {
        case .push(let push):
            Round.bytesAdded(by: push) + (push.key.map { state.ledger.bytesAdded(by: $0.worker) } ?? 0)
                + state.trainingHistory.bytesAdded(by: push, isScaled: state.isScaled)
        case .register(let registration, _):
            state.ledger.bytesAdded(by: registration.worker) + state.leases.bytesAdded(by: registration)
        case .keyed(let key, _, let command): KeyLedger.bytesAdded(by: key) + command.bytesLeft(in: state)
        case .admitted(let command, _): command.bytesLeft(in: state)
        case .importValues, .reconfigure, .grow, .restore: VersionHistory.bytesAdded
        case .report(let report): state.trainingHistory.bytesAdded(by: report.scalars)
        case .endLeases, .dismiss, .note, .closeRound: 0
        }
    }
}
