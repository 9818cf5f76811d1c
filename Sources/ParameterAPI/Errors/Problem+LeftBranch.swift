// The problem of a gradient from a branch that the model has left: its step says nothing about its age.

import ParameterServing

extension Problem {
    /// Where the gradient was computed, and where the model has gone since; the model is at `step`.
    static func words(for branch: LeftBranch, at step: Int) -> String {
        "The gradient was computed at step \(branch.step), on a branch that the model left when it returned to step \(branch.returnedTo); the model is at step \(step)."
    }
}
