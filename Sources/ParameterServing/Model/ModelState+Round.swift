// Rounds in the state machine: a push is applied, held or refused as the policy decides; a round that is complete, or
// closed by a record, becomes one update, whose receipt replaces that of each push in it.

import Names
import Optimizers
import Threading

extension ModelState {
    /// The mode of the model as a value that decides.
    var policy: any ConsistencyPolicy { facts.consistency.policy }

    /// The open round as the policy sees it.
    var roundView: RoundView {
        RoundView(
            step: optimizer.step, number: round.number, received: round.held.count, workers: round.workers,
            registered: facts.consistency.waitsForRegistered ? ledger.registeredCount : 0, present: round.present,
            brought: round.held.first?.push.hyperparameters)
    }

    /// A push as the policy sees it, when the model is at `step`.
    func arrival(of push: Push, requestKey: RequestKey?, at step: Int) -> ArrivingPush {
        let base = base(of: push, before: step)
        let worker = push.key?.worker
        return ArrivingPush(
            worker: worker, isKeyed: push.key != nil || requestKey != nil,
            base: base.staleness.map { step - $0 }, branch: base.left,
            isRegistered: worker.map(ledger.isRegistered) ?? false, brought: push.hyperparameters)
    }

    /// The decision about a push that is applied now.
    func decision(about push: Push, under requestKey: RequestKey?) -> Decision {
        policy.decide(arrival(of: push, requestKey: requestKey, at: optimizer.step), roundView)
    }

    /// The decision about a push once everything in progress has been applied.
    func forecastDecision(_ push: Push, under requestKey: RequestKey?) -> (ArrivingPush, Decision) {
        let view = forecast.view(after: roundView)
        var arrival = arrival(of: push, requestKey: requestKey, at: view.step)
        arrival.isRegistered = arrival.worker.map(willBeRegistered) ?? false
        return (arrival, policy.decide(arrival, view))
    }

    /// Keeps a logged push in the round.
    ///
    /// - Returns: its receipt until the round is settled.
    mutating func hold(
        _ push: Push, under requestKey: RequestKey?, gap: Int, at position: UInt64, for ticket: Ticket?
    ) -> Receipt {
        let held = held(push, under: requestKey, gap: gap, at: position, for: ticket)
        round.add(held, isRegistered: push.key.map { ledger.isRegistered($0.worker) } ?? false)
        let view = roundView
        if view.received == 1, let timeout = policy.timeout { emit(.arm(round: view.number, timeout)) }
        if view.received == policy.quorum(view) { emit(.quorum(round: view.number)) }
        return receipt(of: held, in: view)
    }

    /// A push as the round holds it.
    func held(
        _ push: Push, under requestKey: RequestKey?, gap: Int, at position: UInt64, for ticket: Ticket?
    ) -> HeldPush {
        let base = base(of: push, before: optimizer.step)
        var kept = push
        kept.share = nil
        return HeldPush(
            push: kept, requestKey: requestKey, position: position, gap: gap, staleness: base.staleness,
            isFromLeftBranch: base.left != nil, tickets: ticket.map { [$0] } ?? [])
    }

    /// The receipt of a push that waits in the round `view`.
    func receipt(of held: HeldPush, in view: RoundView) -> Receipt {
        let told = RoundReceipt(
            state: .held, step: view.step + 1, received: view.received, needed: policy.needed(view))
        var receipt = receipt(of: held, told)
        receipt.hyperparameters = held.push.hyperparameters
        return receipt
    }

    /// The receipt of a push in the open round; nil if it is not there.
    func heldReceipt(of key: PushKey) -> Receipt? {
        round.held.first { $0.push.key == key }.map { receipt(of: $0, in: roundView) }
    }

    private func receipt(of held: HeldPush, _ round: RoundReceipt) -> Receipt {
        Receipt(
            applied: false, step: optimizer.step, version: version, learningRates: [], staleness: held.staleness,
            isFromLeftBranch: held.isFromLeftBranch, gradientNorm: 0, updateRatio: nil, overflow: false,
            nextLossScale: optimizer.plan.lossScaling == nil ? nil : optimizer.lossScale, gap: held.gap, round: round)
    }

    /// Applies what the round holds as one update, and tells each holder.
    ///
    /// - Parameters:
    ///   - reason: why it closes now.
    ///   - reduction: how its gradients become one; nil for that of the current mode.
    ///   - position: the record of the push that closes it; nil if no push does.
    /// - Returns: the receipt of that push, or of the update.
    /// - Throws: the refusal of the update; the round is then dropped.
    @discardableResult
    mutating func closeRound(
        _ reason: SettledRound.Reason, by reduction: Reduction? = nil, askedAt position: UInt64? = nil
    ) throws(ServingError) -> Receipt {
        let (step, before, settled) = (optimizer.step, version, settledRound(reason))
        let pushes = round.settle()
        emit(.disarm)
        do throws(ServingError) {
            var (receipt, norms) = try update(withRoundOf: pushes, by: reduction ?? policy.reduction)
            receipt.round = RoundReceipt(
                state: .closed, step: step + 1, received: pushes.count, needed: nil)
            let told = pushes.indices.map { (pushes[$0], tell(pushes[$0], receipt, clipped: norms?[$0])) }
            record(receipt, told)
            if version > before { announce(.update(step: optimizer.step, version: version, loss: loss(of: pushes))) }
            announce(settled, receipt.applied ? .applied : .skipped)
            return told.first { $0.0.position == position }?.1 ?? receipt
        } catch {
            let reason = DropReason(error)
            // Where the settings refuse the update, the pushes are not to blame: their senders hear of the drop.
            tellDropped(pushes, reason, step: step, needed: nil, reason == .refused ? nil : error)
            announce(settled, .dropped, because: SettledRound.Reason(reason))
            throw error
        }
    }

    /// Records an update in the history, and what its pushes report in the order of their arrival, which is that of
    /// their times.
    private mutating func record(_ receipt: Receipt, _ told: [(held: HeldPush, receipt: Receipt)]) {
        let times = told.compactMap { $0.held.push.sighting?.time }
        trainingHistory.add(updateOf: receipt, time: times.max() ?? 0)
        for (held, receipt) in told.sorted(by: { $0.held.place < $1.held.place }) {
            trainingHistory.add(held.push, receipt)
        }
    }

    /// - Returns: the receipt of the update, and the norms of each push if each was clipped on its own.
    private mutating func update(
        withRoundOf pushes: [HeldPush], by reduction: Reduction
    ) throws(ServingError) -> (Receipt, norms: [ClippedNorms]?) {
        let arena = pool.takePromised()
        scratch.raise(to: combinedBytes(pushes, by: reduction))
        var reduced = combine(pushes, by: reduction, into: arena)
        let receipt = try update(
            &reduced.gradients, bringing: pushes.first?.push.hyperparameters, keepsSlots: true, gap: 0, (nil, nil))
        return (receipt, receipt.applied ? reduced.norms : nil)
    }

    /// The gradients of a round as those of one update, with the dense ones in `arena`.
    func combine(_ pushes: [HeldPush], by reduction: Reduction, into arena: Arena) -> ReducedGradients {
        reduction.combine(
            pushes.map(\.contribution), scale: optimizer.lossScale, clip: optimizer.plan.clip, into: arena.buffer,
            layout: layout)
    }

    /// The bytes that this needs in addition to its arguments.
    func combinedBytes(_ pushes: [HeldPush], by reduction: Reduction) -> Int {
        reduction.combinedBytes(pushes.map(\.contribution), in: layout)
    }

    /// Drops the open round, and tells the sender of each push.
    mutating func dropRound(_ reason: DropReason) {
        guard !round.isEmpty else { return }
        let settled = settledRound(SettledRound.Reason(reason))
        let quorum = reason == .timeout ? policy.quorum(roundView) : nil
        let pushes = round.settle()
        emit(.disarm)
        tellDropped(pushes, reason, step: optimizer.step, needed: quorum, nil)
        announce(settled, .dropped)
    }

    private mutating func tellDropped(
        _ pushes: [HeldPush], _ reason: DropReason, step: Int, needed: Int?, _ error: ServingError?
    ) {
        let told = RoundReceipt(state: .dropped(reason), step: step + 1, received: pushes.count, needed: needed)
        for held in pushes { tell(held, receipt(of: held, told), error) }
    }

    /// Stores the final receipt of a push, and answers the requests that wait for it.
    ///
    /// - Returns: that receipt.
    @discardableResult
    private mutating func tell(
        _ held: HeldPush, _ receipt: Receipt, clipped norms: ClippedNorms? = nil, _ error: ServingError? = nil
    ) -> Receipt {
        var receipt = receipt
        if let norms { (receipt.gradientNorm, receipt.clippedGradientNorm) = (norms.before, norms.after) }
        (receipt.staleness, receipt.isFromLeftBranch) = (held.staleness, held.isFromLeftBranch)
        receipt.gap = held.gap
        if let key = held.push.key { ledger.replace(key, with: receipt) }
        if let key = held.requestKey { keys.replace(key, with: .receipt(receipt)) }
        let result: Result<Outcome, ServingError> =
            error.map { .failure($0) } ?? .success(Outcome(answer: .receipt(receipt)))
        for ticket in held.tickets { emit(.settle(ticket, result)) }
        return receipt
    }

    /// The mean of the losses that the pushes report; nil if none does.
    private func loss(of pushes: [HeldPush]) -> Double? {
        let losses = pushes.compactMap(\.push.loss)
        if losses.isEmpty { return nil }
        let (sum, count) = (losses.reduce(0, +), Double(losses.count))
        return sum.isFinite ? sum / count : losses.reduce(0) { $0 + $1 / count }
    }

    /// Executes a logged closing; one of another round has come too late and does nothing.
    mutating func carryOut(_ closing: RoundClosing) throws(ServingError) -> StoredAnswer {
        guard closing.round ?? round.number == round.number, !round.isEmpty else { throw .roundEmpty }
        if let divergence { throw .diverged(parameter: divergence) }
        switch closing.action {
        case .update:
            do throws(ServingError) { return .receipt(try closeRound(closing.round == nil ? .step : .quorum)) } catch {
                // At its deadline a round also ends if the settings refuse its update.
                guard closing.round != nil, DropReason(error) == .refused else { throw error }
            }
        case .drop: dropRound(reasonAtDeadline)
        }
        return .changed(step: optimizer.step, version: version)
    }

    /// Why the open round is dropped at its deadline: it has too few pushes, or waiting for more of them cannot help.
    private var reasonAtDeadline: DropReason {
        let view = roundView
        if policy.decideAtDeadline(view) == .drop { return .timeout }
        return refusal(of: view, by: optimizer) == nil ? .timeout : .refused
    }

    /// Refuses a closing that has nothing to close, or a request whose update would be refused: the round stays open.
    ///
    /// - Returns: whether the closing makes an update; at a deadline, a round that the settings refuse is dropped.
    @discardableResult
    func examine(_ closing: RoundClosing) throws(ServingError) -> Bool {
        if let divergence { throw .diverged(parameter: divergence) }
        guard facts.consistency.hasRounds || !round.isEmpty else { throw .noRounds(mode: facts.consistency.mode) }
        let view = forecast.view(after: roundView)
        guard view.number == closing.round ?? view.number, view.received > 0 else { throw .roundEmpty }
        guard closing.action == .update else { return false }
        if let cause = refusal(of: view, by: optimizer) {
            if closing.round == nil { try checkClosing(of: view, against: cause) }
            return false
        }
        if closing.round == nil { try checkLeast(of: view) }
        try checkRates(
            of: try wrapping { () throws(OptimizerError) in try optimizer.varied(by: view.brought) })
        return true
    }

    /// The record that the timer proposes at the deadline of a round; nil if the round waits on.
    func closingAtDeadline(of number: Int) -> RoundClosing? {
        let view = forecast.view(after: roundView)
        guard view.number == number, round.number == number, view.received > 0 else { return nil }
        switch policy.decideAtDeadline(view) {
        case .close: return RoundClosing(round: number, action: .update)
        case .drop: return RoundClosing(round: number, action: .drop)
        case .extend:
            // More pushes would be refused like those that it has.
            return refusal(of: view, by: optimizer).map { _ in RoundClosing(round: number, action: .drop) }
        }
    }

    /// Follows a change of the settings: a round that the mode does not have closes as the former mode reduces it, and
    /// another timeout moves its deadline.
    mutating func followPolicy(after former: any ConsistencyPolicy) {
        // If it was dropped, the senders of its pushes have been told why.
        if !round.isEmpty, !facts.consistency.hasRounds { _ = try? closeRound(.mode, by: former.reduction) }
        followPolicy()
        guard !round.isEmpty, policy.timeout != former.timeout else { return }
        emit(policy.timeout.map { .arm(round: round.number, $0) } ?? .disarm)
    }

    /// Follows a change of the mode or of the workers: a round that is now complete closes.
    ///
    /// - Parameter mayClose: false for a registration. In a model from a file, the round may hold a push of every worker
    ///   that has registered so far, while the others have not registered yet.
    mutating func followPolicy(mayClose: Bool = true) {
        followClocks()
        round.recount(ledger.isRegistered)
        if mayClose, !round.isEmpty {
            let view = roundView
            // If it was dropped, the senders of its pushes have been told why.
            if let needed = policy.needed(view), view.received >= needed { _ = try? closeRound(.full) }
        }
        forecast.rebuild(from: roundView, policy)
    }

    /// Counts an update of mode `ssp`.
    mutating func tick(_ worker: Name?) {
        guard case .ssp(let policy) = facts.consistency, let worker else { return }
        clocks.tick(worker, of: policy.workers)
        emit(.openGate)
    }

    /// Forgets the clocks in other modes.
    private mutating func followClocks() {
        if case .ssp = facts.consistency {} else if !clocks.isEmpty { clocks = WorkerClocks() }
        emit(.openGate)
    }

    /// The rule of mode `ssp`; nil in other modes.
    var clockRule: StaleSynchronous? { if case .ssp(let policy) = facts.consistency { policy } else { nil } }
}
