// A logged push: its receipt, the round or the update that it becomes, and the step that the update takes.

import Optimizers
import Threading

extension ModelState {
    mutating func apply(
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
}
