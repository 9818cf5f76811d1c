// Common to six of the seven functions: the number of steps, and the epoch of a step.

import Names

/// The steps and epochs of a schedule function.
struct EpochClock: Sendable {
    let totalSteps, stepsPerEpoch, decayEpochs: Int

    /// Reads `total_step`, `step_per_epoch` and the argument named `span`, each an integer above 0.
    init(_ settings: SettingReader, span: Name) throws(OptimizerError) {
        totalSteps = try settings.integer("total_step", atLeast: 1)
        stepsPerEpoch = try settings.integer("step_per_epoch", atLeast: 1)
        decayEpochs = try settings.integer(span, atLeast: 1)
    }

    /// The epoch of a step, counted from 0.
    func epoch(_ step: Int) -> Int { step / stepsPerEpoch }
}
