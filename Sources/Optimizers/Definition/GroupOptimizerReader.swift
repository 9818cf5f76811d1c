// Reads `optimizer` of groups: which optimizers a model has in addition to its own, and which groups they update.
// `PlanBuilder` calls it before it reads rates, because each optimizer has its own defaults.

import Names

/// All optimizers of a model, their arguments unread.
struct OptimizerSubjects {
    /// The model's own first, then those of groups, each once.
    private(set) var all: [OptimizerSubject]
    /// By group: the index of its optimizer in `all`.
    private(set) var placeOfGroup: [Int] = []
    /// The values written in groups, parallel to `all` without the model's.
    private var written: [SettingValue] = []

    /// - Throws: `.invalid` for an unknown optimizer, one of another framework, and one that can only update whole
    ///   models.
    init(
        _ model: OptimizerSubject, _ membership: GroupMembership, _ catalogue: Catalogue
    ) throws(OptimizerError) {
        all = [model]
        for group in membership.groups {
            guard let setting = group.setting["optimizer"] else {
                placeOfGroup.append(0)
                continue
            }
            if let known = written.firstIndex(of: setting) {
                placeOfGroup.append(known + 1)
                continue
            }
            placeOfGroup.append(all.count)
            all.append(try Self.read(setting, at: "\(group.pointer)/optimizer", beside: model, catalogue))
            written.append(setting)
            guard all.count <= GroupPlan.mostOptimizers else { throw Self.tooMany(at: "\(group.pointer)/optimizer") }
        }
    }

    /// The optimizer of a group.
    func of(_ group: Int) -> OptimizerSubject { all[placeOfGroup[group]] }

    private static func read(
        _ setting: SettingValue, at pointer: String, beside model: OptimizerSubject, _ catalogue: Catalogue
    ) throws(OptimizerError) -> OptimizerSubject {
        let framework = model.traits.framework
        guard !model.row.updatesWholeModel else {
            throw .invalid(
                pointer, .valueError,
                "\(model.row.traits.name) updates a whole model; leave `optimizer` out of the groups.",
                expected: "nothing", got: setting.stringValue ?? setting.kind)
        }
        let reader = OptimizerReader(catalogue: catalogue, framework: framework, isForGroup: true)
        let own = try reader.read(setting, pointer: pointer)
        guard own.traits.framework == framework else {
            throw .invalid(
                pointer, .valueError,
                "All optimizers of a model come from one framework, and the model's is from \(framework.rawValue); "
                    + "choose one of \(framework.words.module).",
                expected: framework.rawValue, got: own.traits.framework.rawValue)
        }
        return own
    }

    private static func tooMany(at pointer: String) -> OptimizerError {
        .invalid(
            pointer, .valueError,
            "A model has at most \(GroupPlan.mostOptimizers) different optimizers; give more groups the same one.",
            expected: "at most \(GroupPlan.mostOptimizers) optimizers", got: "more")
    }
}

extension GroupPlan {
    /// The most optimizers of one model, including its own: each examines every group.
    public static let mostOptimizers = 64
}
