// One optimizer of a model in the plan, and the combined layout of all optimizers' slots and numbers: each name exists
// once, and skips the parameters whose optimizer does not use it.

/// One optimizer of a model: its arguments, and its share of the combined memory.
struct PlannedRule: Sendable {
    /// Its catalogue row.
    let row: Catalogue.Row
    /// The traits for the pipeline: the row's, or those of the optimizer inside LARS.
    let traits: RuleTraits
    /// The reader of its arguments.
    var settings: SettingReader
    /// Whether it supports sparse gradients.
    var takesSparseGradients = false
    /// The indices of its slots in `OptimizerPlan.slots`.
    var slots: [Int] = []
    /// The indices of its per-parameter numbers in `OptimizerPlan.scalars`.
    var scalars: [Int] = []

    init(_ subject: OptimizerSubject) {
        (row, traits, settings) = (subject.row, subject.traits, subject.settings)
    }
}

/// The slots and numbers that the rules of a model declare, by name.
struct DeclaredMemory {
    private var slots: [(name: String, byRule: [Int: SlotDefinition])] = []
    /// The per-parameter numbers with their initial values.
    private(set) var scalars: [(name: String, first: Double)] = []

    /// Adds the declarations of the rule at an index, and records their indices in `planned`.
    mutating func add(_ rule: Rule, at place: Int, to planned: inout PlannedRule) {
        for slot in rule.slotDefinitions {
            let known = slots.firstIndex { $0.name == slot.name } ?? slots.count
            if known == slots.count { slots.append((slot.name, [:])) }
            slots[known].byRule[place] = slot
            planned.slots.append(known)
        }
        for scalar in rule.scalars {
            let known = scalars.firstIndex { $0.name == scalar.name } ?? scalars.count
            if known == scalars.count { scalars.append(scalar) }
            planned.scalars.append(known)
        }
        planned.takesSparseGradients = rule.takesSparseGradients
    }

    /// The layout of each slot; `rules` maps parameters to rules.
    ///
    /// - Throws: `.invalid` if the size overflows.
    func layouts(_ layout: ArenaLayout, rules: [Int]) throws(OptimizerError) -> [SlotLayout] {
        var layouts: [SlotLayout] = []
        for (name, byRule) in slots { layouts.append(try SlotLayout(name, layout, rules.map { byRule[$0] })) }
        return layouts
    }
}
