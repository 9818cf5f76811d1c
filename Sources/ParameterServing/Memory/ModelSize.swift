// The memory that a model needs according to its definition, to refuse one that can never fit, or never take a step,
// before anything is allocated. ModelAssembly asks for new models, ModelState for patches.

import Names
import Optimizers

/// The sizes of a model's parts in bytes.
struct ModelSize {
    /// The arenas that a push needs beside the newest version: the gradients, and the version that it makes.
    private static let arenasOfStep = 2
    /// The size of a model without parameters: about a third of its real size; the rest is too little to be counted.
    static let leastPlan = 3 << 10
    /// A parameter in the layout, in the plan, and in the definition.
    private static let planPerParameter = 384

    /// The optimizer's slots.
    let slots: Int
    /// Copies of slots that an update may make.
    let copies: Int
    /// Arrays of rates.
    let arrays: Int
    /// Names, shapes and groups.
    let plan: Int
    /// One version's values, without averages.
    let arena: Int
    /// The number of averages, each as large as the values.
    let averages: Int
    /// Whether the gradients of a round become one, as large as the values.
    let reduces: Bool
    private let limit: Int

    init(_ state: (slots: Int, copies: Int), _ settings: SettingValue, _ parameters: [ParameterDefinition], limit: Int)
    {
        self.init(
            state, settings, plan: Self.plan(parameters.lazy.map(\.name)),
            arena: parameters.reduce(0) { Self.sum($0, $1.shape.elementCount * MemoryLayout<Float>.stride) },
            limit: limit)
    }

    init(_ state: (slots: Int, copies: Int), _ settings: SettingValue, plan: Int, arena: Int, limit: Int) {
        (slots, copies) = state
        (arrays, self.plan, self.arena, self.limit) = (settings.arrayBytes, plan, arena, limit)
        averages = settings.averageCount
        reduces = (try? Consistency(of: settings))?.hasRounds ?? false
    }

    static func plan(_ names: some Sequence<Name>) -> Int {
        names.reduce(leastPlan) { $0 + planPerParameter + 2 * EntryBytes.text($1) }
    }

    /// The bytes needed to build the model.
    private var firstVersion: Int { Self.sum(Self.sum(slots, arrays), arenas(1 + averages)) }

    /// The bytes needed to apply a push.
    private var step: Int {
        let versions = Self.sum(firstVersion, arenas(Self.arenasOfStep + averages + (reduces ? 1 : 0)))
        return Self.sum(versions, Self.sum(copies, plan))
    }

    private func arenas(_ count: Int) -> Int { (0..<count).reduce(0) { sum, _ in Self.sum(sum, arena) } }

    /// Refuses a model whose slots and values together can never fit: too large instead of out of memory.
    func checkFirstVersion() throws(ServingError) {
        if firstVersion > limit { throw .outOfMemory(needed: firstVersion, limit: limit) }
    }

    /// Refuses a model that could be built but never take a push.
    func checkStep() throws(ServingError) {
        if let refusal { throw refusal }
    }

    /// Why no push can be applied even if nothing else uses memory; nil if one can.
    var refusal: ServingError? { step > limit ? .tooLargeToStep(needed: step, limit: limit) : nil }

    /// Whether it needs more than another to apply a push.
    func isLarger(than other: ModelSize) -> Bool { step > other.step }

    private static func sum(_ one: Int, _ other: Int) -> Int {
        let (sum, overflows) = one.addingReportingOverflow(other)
        return overflows ? .max : sum
    }
}

extension ModelSize {
    /// The size of an existing model.
    init(_ state: ModelState) {
        self.init(state, slots: state.slotBytes + (state.addedSlots?.bytes ?? 0), state.facts.settings)
    }

    /// The size of the model with other settings.
    init(_ state: ModelState, slots: Int, _ settings: SettingValue) {
        self.init(
            (slots, state.optimizer.mayCopySlots ? slots : 0), settings, plan: state.kept.fixed,
            arena: state.pool.bytes, limit: state.pool.budget.limit)
    }
}

extension ModelState {
    /// The memory of settings with their own plan, which a version may keep alive.
    func definitionBytes(_ settings: SettingValue, _ layout: ArenaLayout) -> Int {
        KeptMemory.pages(ModelSize.plan(layout.parameters.lazy.map(\.name)) - ModelSize.leastPlan) + settings.arrayBytes
    }

    /// Refuses a growth that leaves the model without room for a push.
    func checkStep(of placement: Placement, slots: Int) throws(ServingError) {
        let size = ModelSize(
            (slots, optimizer.mayCopySlots ? slots : 0), facts.settings,
            plan: ModelSize.plan(placement.places.lazy.map(\.definition.name)),
            arena: placement.count * MemoryLayout<Float>.stride, limit: pool.budget.limit)
        if size.isLarger(than: ModelSize(self)) { try size.checkStep() }
    }

    /// Refuses a patch that leaves the model without room for a push, if it had room before.
    func checkStep(_ settings: SettingValue) throws(ServingError) {
        let size = ModelSize(self, slots: slotBytes + (try slotBytesAdded(by: settings)), settings)
        if size.isLarger(than: ModelSize(self)) { try size.checkStep() }
    }
}
