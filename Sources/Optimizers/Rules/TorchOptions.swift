// What the optimizers of torch.optim share: their traits, `maximize`, and options that change speed but not numbers.

import Names

/// Helpers of the torch rules.
enum TorchOptions {
    /// Reads `maximize`, and accepts the options that only choose an implementation; null is torch's own default of them.
    static func maximize(_ settings: Settings) throws(OptimizerError) -> Bool {
        let options: [Name] = ["foreach", "fused", "capturable", "differentiable"]
        for option in options { try settings.ignore(option, orNull: true) }
        return try settings.boolean("maximize", default: false)
    }

    /// Reads `betas`, each from 0 to below 1.
    static func betas(_ settings: Settings) throws(OptimizerError) -> (Double, Double) {
        let betas = try settings.pair("betas", default: (0.9, 0.999))
        guard Bounds.belowOne.holds(betas.0), Bounds.belowOne.holds(betas.1) else {
            throw settings.complaint(
                "betas", .valueError, "`betas` must be two numbers from 0 to below 1.", Bounds.belowOne.words,
                "\(betas.0), \(betas.1)")
        }
        return betas
    }
}
