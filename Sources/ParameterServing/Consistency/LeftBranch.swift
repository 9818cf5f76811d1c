// The origin of a gradient that the model has turned away from: its step may be as high as the model's, or higher, and the
// gradient is late all the same.

/// The branch of a gradient, if a restore or a rollback has abandoned it.
public struct LeftBranch: Sendable, Equatable {
    /// The step on that branch at which the gradient was computed.
    public let step: Int
    /// The step to which the model returned when it left the branch.
    public let returnedTo: Int

    /// Makes it from its parts.
    public init(step: Int, returnedTo: Int) { (self.step, self.returnedTo) = (step, returnedTo) }
}
