// The optimizer's whole state as a value: updates change it, snapshots and checkpoints store it, and restores,
// reconfigurations and dry runs continue from it. A copy shares the slots' memory; copy that too to keep it past the
// next update.

import Names

/// Everything of an optimizer except its plan; continuing from it gives the same bits.
public struct OptimizerState: Sendable {
    /// A slot's name and memory.
    public struct SlotMemory: Sendable {
        /// The slot's name.
        public var name: String
        /// Its values: the optimizer's own memory, not a copy.
        public var buffer: FloatBuffer

        /// Combines a name with a slot's memory.
        public init(name: String, buffer: FloatBuffer) {
            self.name = name
            self.buffer = buffer
        }

        /// A copy of the values.
        public func copy() throws(OptimizerError) -> SlotMemory {
            let copy = try FloatBuffer(count: buffer.count)
            copy.copy(from: buffer)
            return SlotMemory(name: name, buffer: copy)
        }
    }

    /// The range of a step, or of a parameter's count: up to 2^53 - 1.
    public static let steps = 0...(1 << 53) - 1

    /// The number of updates applied; the next update uses the rate of this step.
    public var step: Int
    /// By parameter index: whether it has had a gradient.
    ///
    /// Rules initialize per-parameter data at the first update.
    public var isStarted: [Bool]
    /// By parameter index: its number of updates; empty if the framework only counts the model's.
    ///
    /// nil in states from before counts existed: then the step for each parameter that has had a gradient.
    public var counts: [Int]?
    /// Per-parameter numbers by name, in a state as in files; an optimizer in use has them in `scalars`.
    public var parameterScalars: [String: [Double]]
    /// Per-parameter numbers in the order of `OptimizerPlan.scalars`; empty in a state as in files.
    var scalars: [[Double]] = []
    /// The loss scale, steps seen, mark and consecutive overflows; empty without loss scaling.
    public var lossScaler: [Double]
    /// The slots.
    public var slots: [SlotMemory]
    /// The averages kept beside the parameters; an optimizer in use has none, because the server keeps them.
    public var averages: [AverageMemory] = []

    /// The values in stored order: the slots, then the averages.
    public var buffers: [FloatBuffer] { slots.map(\.buffer) + averages.map(\.buffer) }

    /// Makes a state from its parts.
    public init(
        step: Int, isStarted: [Bool], counts: [Int]?, parameterScalars: [String: [Double]], lossScaler: [Double],
        slots: [SlotMemory]
    ) {
        self.step = step
        self.isStarted = isStarted
        self.counts = counts
        self.parameterScalars = parameterScalars
        self.lossScaler = lossScaler
        self.slots = slots
    }

    /// The initial state of a plan, without slots.
    init(startOf plan: OptimizerPlan) {
        step = plan.step
        isStarted = plan.layout.parameters.map { _ in false }
        counts = plan.rules[0].row.traits.framework.words.countsPerParameter ? isStarted.map { _ in 0 } : []
        (parameterScalars, slots) = ([:], [])
        lossScaler = plan.lossScaling.map { LossScaler(startOf: $0).numbers } ?? []
    }

    /// t of the formulas for a parameter in the next update: 1 on the first, of the model or of the parameter.
    func t(of parameter: Int) -> Int {
        guard let counts, !counts.isEmpty else { return step + 1 }
        return counts[parameter] + 1
    }

    /// Counts the parameters that had a gradient.
    mutating func note(_ gradients: Gradients, _ plan: OptimizerPlan, _ rules: [Rule]) {
        let parameters = plan.layout.parameters
        for index in parameters.indices where parameters[index].isTrainable {
            guard gradients.has(index) else { continue }
            if counts?.isEmpty == false { counts?[index] += 1 }
            guard !isStarted[index], let group = parameters[index].groupIndex else { continue }
            if rules[plan.ruleOfGroup[group]].starts(group) { isStarted[index] = true }
        }
    }

    /// Records in the loss scale whether a step overflowed.
    ///
    /// - Throws: `.lossScaleStuck`.
    mutating func advanceLossScale(_ plan: OptimizerPlan, overflow: Bool) throws(OptimizerError) {
        guard let scaling = plan.lossScaling, var scaler = LossScaler(lossScaler) else { return }
        try scaling.advance(&scaler, overflow: overflow)
        lossScaler = scaler.numbers
    }

    /// Adopts a checked state, except for its slots and the rule's numbers.
    mutating func takeScalars(of other: OptimizerState) {
        step = other.step
        isStarted = other.isStarted
        counts = counts?.isEmpty == false ? other.counts ?? isStarted.map { $0 ? step : 0 } : []
        guard !lossScaler.isEmpty, var scaler = LossScaler(other.lossScaler) else { return }
        // States from before the scale was limited may have one beyond float32.
        scaler.scale = min(scaler.scale, Double(Float.greatestFiniteMagnitude))
        lossScaler = scaler.numbers
    }

    /// Refuses an update beyond the last countable step.
    ///
    /// - Parameter underWay: Updates that will be applied before this one.
    /// - Throws: `.stepsUsedUp`.
    func checkSteps(
        underWay: Int, for gradients: Gradients, in layout: ArenaLayout
    ) throws(OptimizerError) {
        let last = Self.steps.upperBound
        guard step + underWay < last else { throw .stepsUsedUp(count: "global_step") }
        guard LossScaler(lossScaler)?.current ?? 0 < last else { throw .stepsUsedUp(count: "loss_scale#steps") }
        guard let counts, counts.contains(last) else { return }
        for (index, parameter) in layout.parameters.enumerated() where counts[index] == last && gradients.has(index) {
            throw .stepsUsedUp(count: Name("\(parameter.name)#step"))
        }
    }
}
