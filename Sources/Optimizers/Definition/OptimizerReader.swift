// Reads `optimizer`: its class, and the location of its arguments.

import Names

/// The class named in a definition, with its arguments unread.
struct OptimizerSubject {
    let row: Catalogue.Row
    /// The traits for the pipeline: the class's, or those of the optimizer inside LARS.
    let traits: RuleTraits
    let settings: SettingReader
    /// The row that decides about centralization: for LARS that of the inner optimizer.
    fileprivate let decider: (row: Catalogue.Row, settings: SettingReader)

    /// Whether gradients may be centralized.
    var centralizes: Bool { traits.centralizes && decider.row.centralizes(decider.settings) }

    /// If the framework's groups can contain arguments, a group overrides the optimizer's; otherwise all groups share
    /// them.
    func settings(ofGroup group: GroupMembership.Group) -> SettingReader {
        guard traits.framework.words.groupsHoldArguments, !group.pointer.isEmpty else { return settings }
        return SettingReader(group: group.setting, pointer: group.pointer, over: settings)
    }
}

extension SettingReader {
    /// Reads the arguments in a group's object, and those of `parent` that it lacks.
    convenience init(group setting: SettingValue, pointer: String, over parent: SettingReader) {
        self.init(
            setting, pointer: pointer, owner: "A group", known: ["name", "params", "optimizer", "lr", "weight_decay"],
            parent: parent)
    }
}

/// Finds the class of an optimizer by name.
struct OptimizerReader {
    let catalogue: Catalogue
    /// The framework of a name that does not state one.
    var framework = Framework.standard
    /// Whether the optimizer is a group's: a refusal must not suggest what the next one would refuse.
    var isForGroup = false

    func read(_ setting: SettingValue?, pointer: String = "/optimizer") throws(OptimizerError) -> OptimizerSubject {
        guard let setting else {
            throw .invalid(
                pointer, .typeError, "A model needs an `optimizer`: a name, or an object with `type`.",
                expected: "an optimizer", got: "nothing")
        }
        let (name, object) = try name(setting, pointer: pointer)
        let settings = SettingReader(object, pointer: pointer, owner: name, known: ["type", "framework"])
        let row = try find(try OptimizerName(name, settings, unless: framework), pointer: pointer)
        guard !isForGroup || !row.updatesWholeModel else {
            throw .invalid(
                pointer, .valueError,
                "\(row.traits.name) updates a whole model; write it as the model's `optimizer`, without others.",
                expected: "an optimizer for a group", got: row.traits.name)
        }
        if row.traits.wrapsAnother { return try wrapped(row, object, pointer: pointer) }
        let named = SettingReader(object, pointer: pointer, owner: row.traits.name, known: ["type", "framework"])
        return OptimizerSubject(row: row, traits: row.traits, settings: named, decider: (row, named))
    }

    /// LARS: the pipeline uses the inner optimizer's traits, but LARS itself decays and unscales.
    private func wrapped(
        _ row: Catalogue.Row, _ object: SettingValue, pointer: String
    ) throws(OptimizerError) -> OptimizerSubject {
        let settings = SettingReader(object, pointer: pointer, owner: row.traits.name, known: ["type", "framework"])
        guard let wrapped = settings.raw("optimizer") else {
            throw .invalid(
                "\(pointer)/optimizer", .typeError,
                "LARS wraps another optimizer; write `{\"type\":\"LARS\",\"optimizer\":\"SGD\"}`.",
                expected: "an optimizer", got: "nothing")
        }
        let inner = try read(wrapped, pointer: "\(pointer)/optimizer")
        guard inner.traits.framework == row.traits.framework, !inner.row.traits.wrapsAnother else {
            throw .invalid(
                "\(pointer)/optimizer", .valueError, "LARS can only wrap another optimizer of MindSpore.",
                expected: "Momentum, SGD, ...", got: inner.traits.name)
        }
        return OptimizerSubject(
            row: row, traits: inner.traits, settings: settings, decider: inner.decider)
    }

    private func name(_ setting: SettingValue, pointer: String) throws(OptimizerError) -> (String, SettingValue) {
        if let name = setting.stringValue { return (name, .object([])) }
        guard case .object = setting else {
            let words = "a name or an object with `type`"
            throw .wrongKind(pointer, "`optimizer`", words, setting, expected: "a name or an object")
        }
        guard let type = setting["type"] else {
            throw .invalid(
                "\(pointer)/type", .typeError, "`optimizer` needs `type`, the name of an optimizer.",
                expected: "type", got: "nothing")
        }
        guard let name = type.stringValue else {
            throw .wrongKind("\(pointer)/type", "`type`", "a name", type)
        }
        return (name, setting)
    }

    private func find(_ wanted: OptimizerName, pointer: String) throws(OptimizerError) -> Catalogue.Row {
        let (name, framework) = (wanted.name, wanted.framework)
        let candidates = catalogue.optimizers.filter { $0.traits.framework == framework }
        let folded = name.folded
        if let row = candidates.first(where: { $0.traits.name.folded == folded }) { return row }
        if folded == "thor" {
            throw .invalid(
                "\(pointer)", .valueError,
                "thor needs the activations of each layer, but a server only receives gradients; choose another optimizer.",
                expected: "an optimizer that needs gradients only", got: name)
        }
        let names = candidates.map { $0.traits.name }
        throw .invalid(
            pointer, .valueError,
            "Unknown optimizer `\(name)` in \(framework.rawValue); \(elsewhere(name, not: framework) ?? NearestNames.hint(Name(name), among: names.map { Name($0) }))",
            expected: names.joined(separator: ", "), got: name)
    }

    /// The line to write if another framework has the name, or if the name has a module prefix.
    private func elsewhere(_ name: String, not framework: Framework) -> String? {
        let parts = name.split(separator: ".")
        let last = (parts.last.map(String.init) ?? name).folded
        let known = catalogue.optimizers.map { $0.traits }.filter { $0.name.folded == last }
        let stated = Framework.allCases.first { parts.dropLast().contains($0.words.submodule) } ?? framework
        guard let traits = known.first(where: { $0.framework == stated }) ?? known.first else { return nil }
        guard !isForGroup || traits.framework == framework else { return nil }
        let name = traits.framework.rawValue
        let reason = traits.framework == framework ? "it is called `\(traits.name)`." : "\(name) has it."
        return #"\#(reason) Write `"optimizer":{"type":"\#(traits.name)","framework":"\#(name)"}`."#
    }
}

/// The class's name and framework: from `framework` next to `type`, or combined, as in `torch.AdamW`.
private struct OptimizerName {
    let name: String
    let framework: Framework

    init(_ text: String, _ settings: SettingReader, unless standard: Framework) throws(OptimizerError) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let stated: Framework = try settings.choice("framework", default: standard)
        guard parts.count == 2, let prefix = Framework(rawValue: parts[0].lowercased()) else {
            (name, framework) = (text, stated)
            return
        }
        guard !settings.has("framework") || stated == prefix else {
            throw settings.complaint(
                "framework", .valueError,
                "`\(text)` is \(prefix.rawValue)'s; write `\"framework\":\"\(prefix.rawValue)\"`, or leave it out.",
                prefix.rawValue, stated.rawValue)
        }
        (name, framework) = (String(parts[1]), prefix)
    }
}
