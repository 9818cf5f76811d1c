// The result of a push that is not applied. It is admitted like any push, so that it is refused for the same reasons, and
// withdrawn; what it would do is then decided as if it were applied next.

import Optimizers
import Threading

/// What a push would do.
public enum PushPreview: Sendable {
    /// It was sent before; its receipt.
    case repeated(Receipt)
    /// It would wait in the open round; its receipt until then.
    case held(Receipt)
    /// It would be an update, alone or with the round that it closes.
    case update(UpdatePreview)
}

/// The update that a push would make.
public struct UpdatePreview: Sendable {
    /// The update; its gradients are those of the round if the push would close one.
    public var run: DryRun
    /// The receipt of a push that is held: its staleness, its gap, and its round if it would close one.
    public var receipt: Receipt
}

extension Model {
    /// Judges a push as if it were applied next and passes its result to `reply`, on an executor thread.
    ///
    /// Neither its key is used up nor the lease of its worker renewed. The result is in memory that the budget lends until
    /// the reservation is released; `bytesPerValue` of it are for writing the values down.
    public func dryRun(
        _ change: Change<Receipt>, showingStages: Bool, bytesPerValue: Int = 0,
        reply: @escaping @Sendable (Result<(PushPreview, Reservation?), ServingError>) -> Void
    ) {
        adjust { [self] state in
            do throws(ServingError) {
                if let reason = end { throw reason }
                var trial = DryTrial(
                    isDurable: isDurable, showingStages: showingStages, bytesPerValue: bytesPerValue)
                let preview = try trial.preview(change.command, in: &state, at: clock())
                reply(.success((preview.told(state.roundProgress(closesIn: timeLeft(ofRoundOf: state))), trial.memory)))
            } catch {
                reply(.failure(error))
            }
        }
    }

    /// The time that a push held now has: until the deadline of the open round, or of the one that it would open.
    private func timeLeft(ofRoundOf state: ModelState) -> Duration? {
        roundTimeLeft ?? state.policy.timeout.map { roundClock?.length($0) ?? $0.atStart }
    }
}

/// A dry run in progress.
private struct DryTrial {
    let isDurable: Bool
    let showingStages: Bool
    let bytesPerValue: Int
    /// The memory of the result.
    private(set) var memory: Reservation?

    init(isDurable: Bool, showingStages: Bool, bytesPerValue: Int) {
        (self.isDurable, self.showingStages, self.bytesPerValue) = (isDurable, showingStages, bytesPerValue)
    }

    mutating func preview(
        _ command: Command, in state: inout ModelState, at now: Tick
    ) throws(ServingError) -> PushPreview {
        switch try state.admit(command, at: now) {
        case .repeated(let stored):
            let outcome = Outcome.again(stored, isDurable: isDurable)
            return .repeated(try Answered<Receipt>.result(outcome, under: command.requestKey).get().answer)
        // It claims nothing: a dry run tells what holds if everything in progress is logged.
        case .deferred(let refusal): throw refusal
        case .proceed(let admitted):
            state.forget(admitted, isNewest: true)
            // Only pushes have receipts and no round to close.
            guard let push = admitted.push else { throw .noRounds(mode: state.facts.consistency.mode) }
            return try preview(push, under: admitted.requestKey, in: &state)
        }
    }

    private mutating func preview(
        _ push: Push, under key: RequestKey?, in state: inout ModelState
    ) throws(ServingError) -> PushPreview {
        let held = state.held(push, under: key, gap: try state.gap(before: push), at: state.position, for: nil)
        switch state.decision(about: push, under: key) {
        case .refuse(let error): throw error
        case .apply(let divisor):
            let gradients = push.gradients
            if divisor != 1 { gradients.divide(by: divisor, in: state.layout) }
            var receipt = state.receipt(of: held, in: state.roundView)
            (receipt.round, receipt.isDivided) = (nil, divisor != 1)
            let run = try self.run(
                gradients, push.hyperparameters, of: divisor == 1 ? .push : .stalePush, in: state)
            return .update(UpdatePreview(run: run, receipt: receipt))
        case .hold:
            var view = state.roundView
            view.add(state.arrival(of: push, requestKey: key, at: view.step))
            return .held(state.receipt(of: held, in: view))
        case .close: return .update(try closing(held, in: &state))
        }
    }

    /// The update of the open round with one more push.
    private mutating func closing(
        _ last: HeldPush, in state: inout ModelState
    ) throws(ServingError) -> UpdatePreview {
        let (pushes, reduction) = (state.round.pushes(with: last), state.policy.reduction)
        let (arena, scratch) = (
            try state.pool.take(), try state.pool.budget.reserve(state.combinedBytes(pushes, by: reduction))
        )
        let reduced = state.combine(pushes, by: reduction, into: arena)
        var run = try withExtendedLifetime((arena, scratch)) { () throws(ServingError) in
            try self.run(
                reduced.gradients, pushes.first?.push.hyperparameters, of: .round(last.push.gradients), in: state)
        }
        if let norms = reduced.norms, run.report.applied,
            let place = pushes.firstIndex(where: { $0.position == last.position })
        {
            (run.report.gradientNorm, run.report.clippedGradientNorm) = (norms[place].before, norms[place].after)
        }
        var receipt = state.receipt(of: last, in: state.roundView)
        receipt.round = RoundReceipt(
            state: .closed, step: state.optimizer.step + 1, received: pushes.count, needed: nil)
        return UpdatePreview(run: run, receipt: receipt)
    }

    private mutating func run(
        _ gradients: Gradients, _ hyperparameters: Hyperparameters?, of origin: DryRun.Origin, in state: ModelState
    ) throws(ServingError) -> DryRun {
        let optimizer = state.optimizer
        let told = optimizer.valuesTold(by: gradients, showingStages: showingStages, of: origin)
        memory = try state.pool.budget.reserve(
            optimizer.dryRunBytes(gradients, showingStages: showingStages, of: origin) + told * bytesPerValue)
        return try wrapping { () throws(OptimizerError) in
            try optimizer.dryRun(
                gradients, bringing: hyperparameters, from: UnsafePointer(state.arena.buffer.base),
                showingStages: showingStages, of: origin)
        }
    }
}

extension ModelState {
    /// The number of skipped numbers before a push.
    fileprivate func gap(before push: Push) throws(ServingError) -> Int {
        guard let key = push.key, case .new(let missing) = try ledger.findLogged(key) else { return 0 }
        return missing
    }
}

extension PushPreview {
    /// The preview with the round of a held push as it is now; one that would be held is not in it yet.
    fileprivate func told(_ round: RoundProgress) -> PushPreview {
        switch self {
        case .repeated(let receipt): .repeated(receipt.told(round))
        case .held(let receipt): .held(receipt.closing(in: round.closesIn))
        case .update: self
        }
    }
}
