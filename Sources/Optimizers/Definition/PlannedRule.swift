// One optimizer of a model as the plan has it, and how the slots and numbers of all of them are laid out together: each
// name is there once, and leaves out the parameters whose optimizer does not keep it.

/// One optimizer of a model: what it was told, and where its memory is among that of all.
struct PlannedRule: Sendable {
    /// Its line in the catalogue.
    let row: Catalogue.Row
    /// The reader of its arguments.
    let settings: SettingReader
    /// Whether sparse gradients are defined for it.
    var takesSparseGradients = false
    /// The places of its slots in `OptimizerPlan.slots`.
    var slots: [Int] = []
    /// The places of its numbers per parameter in `OptimizerPlan.scalars`.
    var scalars: [Int] = []

    init(_ subject: OptimizerSubject) { (row, settings) = (subject.row, subject.settings) }
}

/// The slots and numbers that all rules of a model declare, by name.
struct DeclaredMemory {
    private var slots: [(name: String, byRule: [Int: SlotDefinition])] = []
    /// The numbers per parameter, with the values that they begin with.
    private(set) var scalars: [(name: String, first: Double)] = []

    /// Adds those of the rule at a place, and tells the rule's part where they are.
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

    /// Where the values of each slot are; `rules` has the place of each parameter's rule.
    ///
    /// - Throws: `.invalid` where they would not fit in any memory.
    func layouts(_ layout: ArenaLayout, rules: [Int]) throws(OptimizerError) -> [SlotLayout] {
        var layouts: [SlotLayout] = []
        for (name, byRule) in slots { layouts.append(try SlotLayout(name, layout, rules.map { byRule[$0] })) }
        return layouts
    }
}
