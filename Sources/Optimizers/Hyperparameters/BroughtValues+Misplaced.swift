// Refusals of members that a push cannot set, or cannot set in this place. Each names the line to write.

import Names

extension BroughtValues {
    /// Members of a push's hyperparameters that belong elsewhere.
    enum Misplaced {
        /// Members of a definition that are neither a hyperparameter nor about the optimizer.
        private static let ofDefinition = Set(PlanBuilder.keys + ["parameters", "consistency", "order_params"])
            .subtracting(["learning_rate", "weight_decay", "groups", "optimizer"])

        /// Why the model cannot be given a member; nil if it may be an argument of the optimizer.
        static func inModel(_ member: SettingValue.Entry) -> OptimizerError? {
            let pointer = "\(BroughtValues.pointer)/\(member.key.pointerEscaped)"
            switch member.key {
            case "lr":
                return refusal(
                    pointer, "`lr` is the rate of a group; the model's is `learning_rate`.", "learning_rate", member,
                    otherwise: "learning_rate")
            case "optimizer":
                return .invalid(
                    pointer, .keyError,
                    #"Write the arguments of the optimizer without `optimizer`, such as `{"hyperparameters":{"momentum":0.9}}`."#,
                    expected: "arguments of the optimizer", got: "optimizer")
            case "type", "framework": return fixed(member.key, at: pointer)
            case _ where ofDefinition.contains(member.key): return fixed(member.key, at: pointer)
            default: return nil
            }
        }

        /// Why a group cannot be given a member; nil if it may be an argument of its optimizer.
        static func inGroup(_ member: SettingValue.Entry, at scope: String) -> OptimizerError? {
            let pointer = "\(scope)/\(member.key.pointerEscaped)"
            switch member.key {
            case "learning_rate":
                return refusal(
                    pointer, "`learning_rate` is the rate of the model; a group's is `lr`.", "lr", member,
                    otherwise: "lr")
            case "name", "params", "order_params", "grad_centralization", "optimizer", "type", "framework":
                return fixed(member.key, at: pointer)
            default: return nil
            }
        }

        /// Why a group has no such argument of its own; nil if its optimizer reads it there.
        static func argument(
            _ member: SettingValue.Entry, at scope: String, ofGroup place: Int, _ plan: OptimizerPlan
        ) -> OptimizerError? {
            let (rule, settings) = (plan.ruleOfGroup[place], plan.groupHyperparameters[place])
            guard rule == 0, !plan.holdsArguments(place) else { return nil }
            let pointer = "\(scope)/\(member.key.pointerEscaped)"
            if settings.knows(member.key) {
                return refusal(
                    pointer, "Here `\(member.key)` is the same for all groups; set it for the model.", member.key,
                    member, otherwise: "\(member.key) beside groups")
            }
            let keys: [Name] = ["lr", "weight_decay"]
            return .invalid(
                pointer, .keyError,
                "Unknown hyperparameter `\(member.key)` of a group; \(NearestNames.hint(member.key, among: keys))",
                expected: keys.map(\.text).joined(separator: ", "), got: member.key.text)
        }

        /// Why a value for the model would change nothing.
        static func unused(_ key: Name, as own: Name, _ plan: OptimizerPlan) -> OptimizerError {
            let name = plan.layout.groups.first?.name ?? "NAME"
            return .invalid(
                "\(BroughtValues.pointer)/\(key.pointerEscaped)", .valueError,
                "Every group sets its own, so `\(key)` would have no effect. Set it for the groups: "
                    + "`{\"groups\":{\"\(name)\":{\"\(own)\":...}}}`.", expected: "groups", got: key.text)
        }

        private static func refusal(
            _ pointer: String, _ reason: String, _ key: Name, _ member: SettingValue.Entry, otherwise expected: String
        ) -> OptimizerError {
            let line = SettingValue.member(key, member.value).map { " Write `\($0)`." } ?? ""
            return .invalid(pointer, .keyError, reason + line, expected: expected, got: member.key.text)
        }

        private static func fixed(_ key: Name, at pointer: String) -> OptimizerError {
            .invalid(
                pointer, .keyError,
                "`\(key)` is part of the definition, and a push can only set hyperparameters; "
                    + "change the model with PATCH, or leave `\(key)` out.", expected: "hyperparameters", got: key.text)
        }
    }
}
