// Whether the open round can still become an update. A change of the settings that the round does not fit is refused; if
// the change and a push pass each other on the way to the log, the round is dropped at its deadline.

import Optimizers

extension ModelState {
    /// Refuses settings with which the open round, after everything in progress, could not become an update, or only a
    /// wrong one.
    ///
    /// A round that the current settings refuse already does not stand in the way of a change, except of the loss scale:
    /// its gradients were multiplied by the current one.
    ///
    /// - Parameter changed: the optimizer with the new settings.
    /// - Throws: `roundMisfit`.
    func checkRound(after changed: ModelOptimizer) throws(ServingError) {
        let view = forecast.view(after: roundView)
        guard view.received > 0 else { return }
        if changed.lossScale != optimizer.lossScale {
            let cause = RoundMisfit.Cause.lossScale(optimizer.lossScale, changed: changed.lossScale)
            throw .roundMisfit(misfit(of: view, with: .change, cause))
        }
        guard let cause = refusal(of: view, by: changed), refusal(of: view, by: optimizer) == nil else { return }
        throw .roundMisfit(misfit(of: view, with: .change, .refusal(cause)))
    }

    /// Refuses to close a round that the settings refuse.
    ///
    /// - Throws: `roundMisfit`; `learningRateExhausted`, `stepsUsedUp`.
    func checkClosing(of view: RoundView, against cause: OptimizerError) throws(ServingError) {
        guard case .invalid = cause else { throw ServingError(cause) }
        throw .roundMisfit(misfit(of: view, with: .closing, .refusal(cause)))
    }

    /// Refuses a push that would complete a round which the settings refuse.
    ///
    /// - Throws: as above.
    func checkClosing(by push: Push) throws(ServingError) {
        let view = forecast.view(after: roundView)
        guard view.received > 0 else { return }
        if let cause = refusal(of: view, by: optimizer, with: push) { try checkClosing(of: view, against: cause) }
    }

    /// Why an optimizer would refuse the update of a round, as far as that depends on its settings; nil if it would not.
    ///
    /// - Parameter push: the push that completes the round.
    func refusal(
        of view: RoundView, by optimizer: ModelOptimizer, with push: Push? = nil
    ) -> OptimizerError? {
        do throws(OptimizerError) {
            let varied = try optimizer.varied(by: view.brought)
            _ = try varied.plan.learningRate(at: view.step)
            guard view.number == round.number else { return nil }
            for gradients in round.gradientsAsReduced(with: push) {
                try varied.check(outlined(gradients, as: optimizer.plan.layout.placement))
            }
            return nil
        } catch {
            // Later there may be memory.
            if case .noMemory = error { return nil }
            return error
        }
    }

    /// Gradients of the round for the check of an optimizer that may have its parameters in other groups.
    private func outlined(_ gradients: Gradients, as placement: Placement) -> Gradients {
        guard placement != pool.placement else { return gradients }
        return gradients.moved(from: pool.placement, to: placement, into: nil, shortRows: .zero).gradients
    }

    private func misfit(
        of view: RoundView, with request: RoundMisfit.Request, _ cause: RoundMisfit.Cause
    ) -> RoundMisfit {
        RoundMisfit(
            request: request, step: view.step + 1, received: view.received, brought: view.brought,
            hasDeadline: policy.timeout != nil, cause: cause)
    }
}

extension Round {
    /// The gradients that it holds, and those of a push that completes it.
    ///
    /// Those of a parameter are sparse only if all are, as in the reduction.
    fileprivate func gradientsAsReduced(with push: Push?) -> [Gradients] {
        let all = held.map(\.push.gradients) + (push.map { [$0.gradients] } ?? [])
        let sparse = Set(all.flatMap(\.sparse.keys))
        let dense = sparse.filter { index in all.contains { $0.isDense[index] } }
        return all.map { one in
            var gradients = one
            gradients.sparse = gradients.sparse.filter { !dense.contains($0.key) }
            return gradients
        }
    }
}
