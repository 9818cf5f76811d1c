// Known members in the wrong place: inside `optimizer` instead of next to it, or the reverse. `SettingReader` and
// `GroupReader` check this before they look for names with similar spelling.

import Names

/// The message for a member that belongs on the other side of `optimizer`.
enum MisplacedMember {
    /// Arguments of a framework's constructor that a definition has next to `optimizer`.
    private static let topLevel: [Name: Name] = [
        "lr": "learning_rate", "learning_rate": "learning_rate", "weight_decay": "weight_decay",
    ]
    /// Members of an optimizer, under the names of either framework, that are often written next to it.
    private static let hyperparameters: Set<Name> = [
        "momentum", "dampening", "nesterov", "use_nesterov", "betas", "beta1", "beta2", "eps", "epsilon", "amsgrad",
        "use_amsgrad", "rho", "centered", "lr_decay", "momentum_decay", "maximize", "foreach", "fused", "framework",
    ]

    /// The mistake in a member of the object at `pointer`; nil if the member does not belong elsewhere.
    static func complaint(
        _ entry: SettingValue.Entry, in pointer: String, _ exception: ExceptionClass
    ) -> OptimizerError? {
        if let top = topLevel[entry.key], pointer.hasPrefix("/optimizer") {
            return .invalid(
                "\(pointer)/\(entry.key.pointerEscaped)", exception,
                "`\(entry.key)` belongs at the top level: write \"\(top)\" next to \"optimizer\", not inside it.",
                expected: "\(top) at the top level", got: entry.key.text)
        }
        if let top = topLevel[entry.key], pointer.hasPrefix("/groups/"), pointer.hasSuffix("/optimizer") {
            let key: Name = top == "learning_rate" ? "lr" : top
            return .invalid(
                "\(pointer)/\(entry.key.pointerEscaped)", exception,
                "`\(entry.key)` belongs to the group: write \"\(key)\" next to \"optimizer\", not inside it.",
                expected: "\(key) in the group", got: entry.key.text)
        }
        return pointer.isEmpty ? besideOptimizer(entry, in: pointer, exception) : nil
    }

    /// The mistake in a hyperparameter next to `optimizer`; nil for any other member.
    static func besideOptimizer(
        _ entry: SettingValue.Entry, in pointer: String, _ exception: ExceptionClass
    ) -> OptimizerError? {
        guard hyperparameters.contains(entry.key) else { return nil }
        let line = SettingValue.member(entry.key, entry.value) ?? "\"\(entry.key)\":..."
        return .invalid(
            "\(pointer)/\(entry.key.pointerEscaped)", exception,
            "`\(entry.key)` belongs to the optimizer; write it next to its type: `\"optimizer\":{\"type\":\"NAME\",\(line)}`.",
            expected: "\(entry.key) inside optimizer", got: entry.key.text)
    }
}
