// The bounds on the pushes of a round before a command is logged: krum compares each push with every other, and modes
// without a number of workers do not bound them; a robust reduction of too few protects from nothing.

import Optimizers

extension ModelState {
    /// Refuses a push beyond the most that the round can hold.
    func checkPushes(after decision: Decision) throws(ServingError) {
        guard let most = facts.consistency.mostPushes, [.hold, .close].contains(decision) else { return }
        let pushes = forecast.view(after: roundView).received
        if pushes >= most { throw .roundFull(pushes: pushes, limit: most) }
    }

    /// Refuses to close a round at a request while its reduction could not leave out wrong pushes.
    func checkLeast(of view: RoundView) throws(ServingError) {
        guard view.received < policy.reduction.leastPushes else { return }
        throw .tooFewPushes(step: view.step + 1, received: view.received, policy.reduction)
    }

    /// Refuses the registration of another worker if rounds wait for more workers than they can hold pushes.
    func checkPushes(afterRegistering isNew: Bool) throws(ServingError) {
        guard isNew, facts.consistency.waitsForRegistered, let most = facts.consistency.mostPushes else { return }
        let registered = forecast.view(after: roundView).registered
        if registered >= most { throw .tooManyRegistered(registered, limit: most) }
    }

    /// Refuses a change of the consistency if there are already more pushes or workers than a round can have after it.
    func checkPushes(after patch: SettingsPatch, _ settings: SettingValue) throws(ServingError) {
        guard patch.hasConsistency else { return }
        let consistency = try wrapping { () throws(OptimizerError) in
            let consistency = try Consistency(of: settings)
            try consistency.checkPushes()
            return consistency
        }
        let view = forecast.view(after: roundView)
        // The change closes the round by its present reduction; one whose update is refused is dropped.
        if !consistency.hasRounds, view.received > 0, refusal(of: view, by: optimizer) == nil {
            try checkLeast(of: view)
        }
        guard let most = consistency.mostPushes else { return }
        let pushes = view.received
        if pushes > most { throw .roundFull(pushes: pushes, limit: most) }
        guard consistency.waitsForRegistered, ledger.registeredCount > most else { return }
        throw .tooManyRegistered(ledger.registeredCount, limit: most)
    }
}
