// Members that are known and in the wrong place: inside of `optimizer` what belongs beside it, and beside it what belongs
// inside. `SettingReader` and `GroupReader` ask before they look for names that are spelt alike.

import Names

/// What to say of a member that has its place on the other side of `optimizer`.
enum MisplacedMember {
    /// What a framework's constructor takes and a definition has beside `optimizer`.
    private static let topLevel: [Name: Name] = [
        "lr": "learning_rate", "learning_rate": "learning_rate", "weight_decay": "weight_decay",
    ]
    /// What belongs to an optimizer, under the names of either framework, and is often written beside it.
    private static let hyperparameters: Set<Name> = [
        "momentum", "dampening", "nesterov", "use_nesterov", "betas", "beta1", "beta2", "eps", "epsilon", "amsgrad",
        "use_amsgrad", "rho", "centered", "lr_decay", "momentum_decay", "maximize", "foreach", "fused", "framework",
    ]

    /// What is wrong with a member of the object at `pointer`; nil for one that has its place nowhere else.
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

    /// What is wrong with a hyperparameter that is beside `optimizer`; nil for any other member.
    static func besideOptimizer(
        _ entry: SettingValue.Entry, in pointer: String, _ exception: ExceptionClass
    ) -> OptimizerError? {
        guard hyperparameters.contains(entry.key) else { return nil }
        let line = SettingValue.member(entry.key, entry.value) ?? "\"\(entry.key)\":..."
        return .invalid(
            "\(pointer)/\(entry.key.pointerEscaped)", exception,
            "`\(entry.key)` belongs to the optimizer; write it next to its type: `\"optimizer\":{\"type\":\"NAME\",\(line)}`.",
            expected: "\(entry.key) inside of optimizer", got: entry.key.text)
    }
}
