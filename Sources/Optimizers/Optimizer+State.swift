// The optimizer's whole state as a value: for snapshots, restores, live reconfiguration and dry runs. Exporting copies
// nothing; whoever keeps the slots' buffers past the next update must copy them.

/// Everything that an optimizer is beyond its definition; importing it continues bit for bit.
public struct OptimizerState: Sendable {
    /// A slot's name and memory.
    public struct SlotMemory: Sendable {
        /// The slot's name.
        public var name: String
        /// Its values; the optimizer's own memory, not a copy.
        public var buffer: FloatBuffer

        /// Names a slot's memory.
        public init(name: String, buffer: FloatBuffer) {
            self.name = name
            self.buffer = buffer
        }
    }

    /// Updates applied.
    public var step: Int
    /// By parameter index: whether it has had a gradient.
    public var isStarted: [Bool]
    /// By parameter index: updates that it has had, empty where the framework counts the model's alone.
    ///
    /// nil in states that were written before there were counts: then the step for each that has had a gradient.
    public var counts: [Int]?
    /// Numbers per parameter by name.
    public var parameterScalars: [String: [Double]]
    /// The loss scale, steps seen, mark and overflows in a row; empty without loss scaling.
    public var lossScaler: [Double]
    /// The slots.
    public var slots: [SlotMemory]

    /// Makes a state from what was exported.
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
}

extension Optimizer {
    /// The state; its slots are this optimizer's memory.
    public func exportState() -> OptimizerState {
        OptimizerState(
            step: step, isStarted: isStarted, counts: counts, parameterScalars: parameterScalars,
            lossScaler: lossScaler.map { [$0.scale, Double($0.current), Double($0.mark), Double($0.overflows)] } ?? [],
            slots: slots.map { OptimizerState.SlotMemory(name: $0.name, buffer: $0.buffer) })
    }

    /// Whether a state belongs to this layout, class and way of loss scaling.
    public func accepts(_ state: OptimizerState) -> Bool {
        Self.steps.contains(state.step) && state.isStarted.count == isStarted.count
            && (state.counts?.count ?? counts.count) == counts.count
            && (state.counts ?? []).allSatisfy(Self.steps.contains)
            && state.slots.count == slots.count
            && zip(state.slots, slots).allSatisfy { $0.name == $1.name && $0.buffer.count == $1.buffer.count }
            && state.lossScaler.count == (lossScaler == nil ? 0 : 4)
            && state.lossScaler.prefix(1).allSatisfy { $0 > 0 && $0.isFinite }
            && state.lossScaler.dropFirst().allSatisfy { $0 >= 0 && $0 < 0x1p53 }
            && state.parameterScalars.mapValues(\.count) == parameterScalars.mapValues(\.count)
    }

    /// Continues from a state, copying its slots.
    ///
    /// - Throws: `.invalid` where it belongs to another layout or class; nothing changed then.
    public func importState(_ state: OptimizerState) throws(OptimizerError) {
        guard accepts(state) else {
            throw .invalid("", .valueError, "This state belongs to another optimizer or other parameters.")
        }
        for (source, slot) in zip(state.slots, slots) { slot.buffer.copy(from: source.buffer) }
        adoptScalars(state)
    }

    /// Takes over all of a state but its slots.
    func adoptScalars(_ state: OptimizerState) {
        step = state.step
        isStarted = state.isStarted
        counts = counts.isEmpty ? [] : state.counts ?? isStarted.map { $0 ? step : 0 }
        parameterScalars = state.parameterScalars
        guard lossScaler != nil, state.lossScaler.count == 4 else { return }
        // States from before the scale had an end may hold one beyond float32.
        lossScaler?.scale = min(state.lossScaler[0], Double(Float.greatestFiniteMagnitude))
        lossScaler?.current = Int(state.lossScaler[1])
        lossScaler?.mark = Int(state.lossScaler[2])
        lossScaler?.overflows = Int(state.lossScaler[3])
    }

    /// Sets slots, counts, started flags and scalars back to what a new optimizer has; step and loss scale stay.
    public func resetSlots() {
        allocateSlots()
        isStarted = Array(repeating: false, count: isStarted.count)
        counts = counts.map { _ in 0 }
        parameterScalars = parameterScalars.mapValues { $0.map { _ in 0 } }
    }
}
