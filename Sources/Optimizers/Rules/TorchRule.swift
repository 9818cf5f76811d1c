// Common to the rules of torch.optim: `maximize`, options that affect speed but not numbers, and reading `betas`.

import Names

/// A torch rule; its groups may override every argument.
class TorchRule: Rule {
    /// By group: whether it ascends along its gradients instead of descending.
    private let maximizing: [Bool]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        maximizing = try plan.perGroup(Self.maximize)
        try super.init(plan)
    }

    override func maximizes(_ group: Int) -> Bool { maximizing[group] }

    /// Reads `maximize`, and accepts the options that only select an implementation; null is torch's default for those.
    static func maximize(_ settings: SettingReader) throws(OptimizerError) -> Bool {
        let options: [Name] = ["foreach", "fused", "capturable", "differentiable"]
        for option in options { try settings.ignore(option, orNull: true) }
        return try settings.boolean("maximize", default: false)
    }

    /// Reads `betas`, each from 0 to below 1.
    static func betas(_ settings: SettingReader) throws(OptimizerError) -> (Double, Double) {
        let betas = try settings.pair("betas", default: (0.9, 0.999))
        guard Bounds.belowOne.holds(betas.0), Bounds.belowOne.holds(betas.1) else {
            throw settings.complaint(
                "betas", .valueError, "`betas` must be two numbers from 0 to below 1.", Bounds.belowOne.words,
                "\(betas.0), \(betas.1)")
        }
        return betas
    }
}
