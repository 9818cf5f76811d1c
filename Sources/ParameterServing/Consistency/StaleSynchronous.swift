// Mode `ssp`: each push is an update, and a worker that runs ahead of the slowest by more than `slack` pushes waits
// when it pulls.

import Names
import Optimizers

/// Each push is an update, and workers stay within `slack` pushes of the slowest.
///
/// - Source: Ho et al., More Effective Distributed ML via a Stale Synchronous Parallel Parameter Server, 2013.
public struct StaleSynchronous: ConsistencyPolicy, Equatable {
    /// The number of workers that must have pushed before the slowest is known.
    var workers: Int
    /// The number of pushes that a worker may be ahead of the slowest.
    var slack: Int

    init(_ reader: SettingReader) throws(OptimizerError) {
        workers = try reader.wholeNumber("workers", atLeast: 1)
        slack = try reader.wholeNumber("slack", atLeast: 0)
    }

    func decide(_ arrival: ArrivingPush, _ round: RoundView) -> Decision {
        arrival.worker == nil ? .refuse(.workerRequired) : .apply(divisor: 1)
    }

    var members: [(Name, SettingValue)] { [("workers", .integer(workers)), ("slack", .integer(slack))] }
}
