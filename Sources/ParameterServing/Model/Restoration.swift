// A whole earlier state on its way into a live model: from a checkpoint, a rollback, or an uploaded file.

import Optimizers

/// The slots and step to go back to, with the values or without them.
public struct Restoration: Sendable {
    /// The parameters' values in update order; nil where they stay as they are.
    var arena: Arena?
    /// Step, slots and scalars.
    var optimizer: OptimizerState
    /// The version that the state had; nil where a record of an earlier release does not tell.
    var version: Int?
    /// What the budget lends for the slots until they have been copied into the model.
    var memory: Reservation?
}
