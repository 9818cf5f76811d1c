// The result of a push that is not applied.

import Optimizers

extension Model {
    /// Judges a push as if it were applied next and passes its result to `reply`, on an executor thread.
    ///
    /// The push's key is not used up. The result is in memory that the budget lends until the reservation is released;
    /// `bytesPerValue` of it are for writing the values down.
    public func dryRun(
        _ push: Push, showingStages: Bool, bytesPerValue: Int = 0,
        reply: @escaping @Sendable (Result<(DryRun, Reservation), ServingError>) -> Void
    ) {
        inspect { state in
            let push = state.fitted(push)
            do throws(ServingError) {
                try state.judge(push)
                let memory = try state.reserve(push, showingStages, bytesPerValue)
                reply(.success((try state.dryRun(push, showingStages), memory)))
            } catch {
                reply(.failure(error))
            }
        }
    }
}

extension ModelState {
    fileprivate func reserve(
        _ push: Push, _ showingStages: Bool, _ bytesPerValue: Int
    ) throws(ServingError) -> Reservation {
        let told = optimizer.valuesTold(by: push.gradients, showingStages: showingStages)
        return try pool.budget.reserve(
            optimizer.dryRunBytes(push.gradients, showingStages: showingStages) + told * bytesPerValue)
    }

    fileprivate func dryRun(_ push: Push, _ showingStages: Bool) throws(ServingError) -> DryRun {
        try wrapping { () throws(OptimizerError) in
            try optimizer.dryRun(
                push.gradients, bringing: push.hyperparameters, from: UnsafePointer(arena.buffer.base),
                showingStages: showingStages)
        }
    }
}
