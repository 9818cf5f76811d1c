// Reads `optimizer`: which class it names, and where its arguments are.

/// The class that a definition names, with its arguments unread.
struct OptimizerSubject {
    let type: Optimizer.Type
    /// What the pipeline goes by: the class's traits, or those of the optimizer inside of LARS.
    let traits: RuleTraits
    let settings: Settings
    /// LARS: the optimizer inside.
    let inner: Setting?
    /// Whose word on centralization counts: for LARS that of the optimizer inside.
    fileprivate let decider: (type: Optimizer.Type, settings: Settings)

    /// Whether gradients may be centralized.
    var centralizes: Bool { traits.centralizes && decider.type.centralizes(decider.settings) }

    /// Under torch a group overrides the optimizer's arguments; elsewhere every group has the same.
    func settings(ofGroup group: GroupMembership.Group) -> Settings {
        guard traits.framework == .torch, !group.pointer.isEmpty else { return settings }
        return Settings(
            group.setting, pointer: group.pointer, owner: "A group", known: ["name", "params", "lr", "weight_decay"],
            parent: settings)
    }
}

/// Finds the class of an optimizer by name.
struct OptimizerReader {
    let catalogue: Catalogue

    func read(_ setting: Setting?, pointer: String = "/optimizer") throws(OptimizerError) -> OptimizerSubject {
        guard let setting else {
            throw .invalid(
                pointer, .typeError, "A model needs `optimizer`, the name of one or an object with `type`.",
                expected: "an optimizer", got: "nothing")
        }
        let (name, object) = try name(setting, pointer: pointer)
        let settings = Settings(object, pointer: pointer, owner: name, known: ["type", "framework"])
        let framework: Framework = try settings.choice("framework", default: .mindSpore)
        let type = try find(name, framework: framework, pointer: pointer)
        if type == LARS.self { return try wrapped(object, pointer: pointer) }
        let named = Settings(object, pointer: pointer, owner: type.traits.name, known: ["type", "framework"])
        return OptimizerSubject(type: type, traits: type.traits, settings: named, inner: nil, decider: (type, named))
    }

    /// LARS: the pipeline goes by what the optimizer inside takes, but decays and unscales itself.
    private func wrapped(_ object: Setting, pointer: String) throws(OptimizerError) -> OptimizerSubject {
        let settings = Settings(object, pointer: pointer, owner: "LARS", known: ["type", "framework"])
        let inner = try read(settings.raw("optimizer"), pointer: "\(pointer)/optimizer")
        guard inner.traits.framework == .mindSpore, inner.type != LARS.self else {
            throw .invalid(
                "\(pointer)/optimizer", .valueError, "LARS wraps one of the other optimizers of MindSpore.",
                expected: "Momentum, SGD, ...", got: inner.traits.name)
        }
        return OptimizerSubject(
            type: LARS.self, traits: inner.traits, settings: settings, inner: settings.raw("optimizer"),
            decider: inner.decider)
    }

    private func name(_ setting: Setting, pointer: String) throws(OptimizerError) -> (String, Setting) {
        if let name = setting.stringValue { return (name, .object([])) }
        guard case .object = setting else {
            throw .invalid(
                pointer, .typeError, "`optimizer` must be a name or an object with `type`; got \(setting.kind).",
                expected: "a name or an object", got: setting.kind)
        }
        guard let type = setting["type"] else {
            throw .invalid(
                "\(pointer)/type", .typeError, "`optimizer` needs `type`, the name of an optimizer.",
                expected: "type", got: "nothing")
        }
        guard let name = type.stringValue else {
            throw .invalid(
                "\(pointer)/type", .typeError, "`type` must be a name; got \(type.kind).", expected: "a name",
                got: type.kind)
        }
        return (name, setting)
    }

    private func find(_ name: String, framework: Framework, pointer: String) throws(OptimizerError) -> Optimizer.Type {
        let candidates = catalogue.optimizers.filter { $0.traits.framework == framework }
        if let type = candidates.first(where: { $0.traits.name.folded == name.folded }) { return type }
        if name.folded == "thor" {
            throw .invalid(
                "\(pointer)", .valueError,
                "thor needs the activations of each layer, and a server sees gradients only; choose another optimizer.",
                expected: "an optimizer that needs gradients only", got: name)
        }
        let names = candidates.map { $0.traits.name }
        throw .invalid(
            pointer, .valueError,
            "There is no optimizer `\(name)` in \(framework.rawValue); \(NearestNames.hint(name, among: names))",
            expected: names.joined(separator: ", "), got: name)
    }
}
