// The framework whose terms a definition uses. All differences between frameworks are in one table here, which the
// readers of definitions, the counts and the catalogue's names use.

/// The framework of a rule.
public enum Framework: String, CaseIterable, Sendable {
    /// mindspore.nn
    case mindSpore = "mindspore"
    /// torch.optim
    case torch

    /// The default framework of a definition.
    static let standard = Framework.mindSpore

    /// The terms of a framework.
    struct Words {
        /// The framework's module, for messages.
        let module: String
        /// The usual prefix of an optimizer's name, as in `optim.AdamW`; empty if the prefix does not identify the framework.
        var submodule: Substring = ""
        /// Whether its optimizers accept the arguments of MindSpore's base class: a loss scale, scheduled weight decay,
        /// centralization.
        var hasBaseClass = false
        /// Whether a group may override every argument of the optimizer.
        var groupsHoldArguments = false
        /// Whether each parameter counts its own updates.
        ///
        /// The learning rate follows the model's step in any case.
        var countsPerParameter = false
    }

    /// The terms of this framework.
    var words: Words {
        switch self {
        case .mindSpore: Words(module: "mindspore.nn", hasBaseClass: true)
        case .torch:
            Words(module: "torch.optim", submodule: "optim", groupsHoldArguments: true, countsPerParameter: true)
        }
    }

    /// The name of an optimizer in lists: "torch.Adam".
    func qualified(_ name: String) -> String { self == .standard ? name : "\(rawValue).\(name)" }
}
