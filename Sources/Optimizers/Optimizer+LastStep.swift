// The end of counting: steps and counts are whole numbers that JSON and a double hold exactly. `update` asks here before
// it moves anything; the server asks before it logs a push.

import Names

extension Optimizer {
    /// What a step, or a count of a parameter, may be: up to 2^53 - 1.
    public static let steps = 0...(1 << 53) - 1

    /// Refuses an update that would count past the last step.
    ///
    /// - Parameters:
    ///   - underWay: Updates that will be applied before this one.
    ///   - gradients: The gradients of this update.
    /// - Throws: `.stepsUsedUp`.
    public func checkSteps(underWay: Int = 0, for gradients: Gradients) throws(OptimizerError) {
        let last = Self.steps.upperBound
        guard step + underWay < last else { throw .stepsUsedUp(count: "global_step") }
        guard lossScaler?.current ?? 0 < last else { throw .stepsUsedUp(count: "loss_scale#steps") }
        guard counts.contains(last) else { return }
        for (index, parameter) in layout.parameters.enumerated() where counts[index] == last {
            guard gradients.isDense[index] || gradients.sparse[index] != nil else { continue }
            throw .stepsUsedUp(count: Name("\(parameter.name)#step"))
        }
    }
}
