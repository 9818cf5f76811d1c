// Whose words a definition speaks. All that a framework decides is a row of one table here; the readers of definitions, the
// counts and the catalogue's names ask it.

/// Whose rule of a name is meant.
public enum Framework: String, CaseIterable, Sendable {
    /// mindspore.nn
    case mindSpore = "mindspore"
    /// torch.optim
    case torch

    /// The one that a definition means where it says nothing.
    static let standard = Framework.mindSpore

    /// What the words of a framework mean.
    struct Words {
        /// Where its optimizers are, for the sentences.
        let module: String
        /// What people write before an optimizer's name, as in `optim.AdamW`; empty where that says nothing.
        var submodule: Substring = ""
        /// Whether its optimizers take what MindSpore's base class does: a loss scale, scheduled weight decay,
        /// centralization.
        var hasBaseClass = false
        /// Whether a group may override every argument of the optimizer.
        var groupsHoldArguments = false
        /// Whether each parameter counts its own updates; the learning rate follows the model's in any case.
        var countsPerParameter = false
    }

    /// What its words mean.
    var words: Words {
        switch self {
        case .mindSpore: Words(module: "mindspore.nn", hasBaseClass: true)
        case .torch:
            Words(module: "torch.optim", submodule: "optim", groupsHoldArguments: true, countsPerParameter: true)
        }
    }

    /// An optimizer's name as lists show it: "torch.Adam".
    func qualified(_ name: String) -> String { self == .standard ? name : "\(rawValue).\(name)" }
}
