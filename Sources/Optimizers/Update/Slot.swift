// Slots: the optimizer's memory, parallel to the arena. A rule declares them, the plan lays them out, the state has
// their values.

/// A slot as declared by a rule.
public struct SlotDefinition {
    /// Its name in MindSpore, "moments"; in a checkpoint `<name>.<parameter>`.
    public let name: String
    let initial: (ParameterLayout) -> Float
    let shape: (ParameterLayout) -> Shape?

    /// A slot of the arena's shape that starts at one value.
    public init(_ name: String, initial: Float = 0) {
        self.init(name, initial: { _ in initial })
    }

    /// A slot of the arena's shape with an initial value per parameter.
    public init(_ name: String, initial: @escaping (ParameterLayout) -> Float) {
        self.name = name
        self.initial = initial
        shape = { $0.shape }
    }

    /// A slot whose shape differs from the parameter's; nil for parameters without one.
    public init(_ name: String, shape: @escaping (ParameterLayout) -> Shape?) {
        self.name = name
        self.shape = shape
        initial = { _ in 0 }
    }
}

/// The layout of a slot: one range per parameter.
public struct SlotLayout: Sendable {
    /// Its name in MindSpore.
    public let name: String
    /// By parameter index: its range in the slot's memory; empty if the parameter has none.
    public let ranges: [Range<Int>]
    /// By parameter index: its shape; nil if the parameter has none.
    public let shapes: [Shape?]
    /// By parameter index: the initial value.
    private let initial: [Float]

    /// - Parameter definitions: By parameter, the rule's declaration under this name; nil if there is none.
    /// - Throws: `.invalid` if the size overflows.
    init(
        _ name: String, _ layout: ArenaLayout, _ definitions: [SlotDefinition?]
    ) throws(OptimizerError) {
        self.name = name
        shapes = zip(layout.parameters, definitions).map { parameter, slot in slot?.shape(parameter) }
        initial = zip(layout.parameters, definitions).map { parameter, slot in slot?.initial(parameter) ?? 0 }
        var ranges: [Range<Int>] = []
        for shape in shapes {
            let start = ranges.last?.upperBound ?? 0
            let (end, overflow) = start.addingReportingOverflow(shape?.elementCount ?? 0)
            guard !overflow, end <= Int.max / 64 else {
                throw .invalid("", .valueError, "The parameters are too large for any machine's memory.")
            }
            ranges.append(start..<end)
        }
        self.ranges = ranges
    }

    /// The number of values.
    var count: Int { ranges.last?.upperBound ?? 0 }

    /// Whether a rule that declares `slot` for the parameters in `places` finds its memory here, with the same start.
    func holds(_ slot: SlotDefinition, _ layout: ArenaLayout, _ places: [Int]) -> Bool {
        slot.name == name
            && places.allSatisfy { place in
                let parameter = layout.parameters[place]
                return slot.shape(parameter) == shapes[place] && slot.initial(parameter) == initial[place]
            }
    }

    /// The memory of the same slot in another plan; a copy if that excludes other parameters.
    ///
    /// - Parameter isOwed: whether a logged change needs the memory.
    func carried(from old: Slot, isOwed: Bool) throws(OptimizerError) -> OptimizerState.SlotMemory {
        if old.ranges == ranges { return OptimizerState.SlotMemory(name: name, buffer: old.buffer) }
        let memory = try allocate(isOwed: isOwed)
        for (old, new) in zip(old.ranges.map { old.buffer[$0] }, ranges) where old.count == new.count {
            _ = memory.buffer[new].update(fromContentsOf: old)
        }
        return memory
    }

    /// The initial values, in new memory.
    ///
    /// - Parameter isOwed: whether a logged change needs the memory.
    func allocate(isOwed: Bool) throws(OptimizerError) -> OptimizerState.SlotMemory {
        let buffer = isOwed ? FloatBuffer(owed: count) : try FloatBuffer(count: count)
        fill(buffer)
        return OptimizerState.SlotMemory(name: name, buffer: buffer)
    }

    /// Resets memory to the initial values.
    func reset(_ buffer: FloatBuffer) {
        buffer.zero()
        fill(buffer)
    }

    private func fill(_ buffer: FloatBuffer) {
        for (range, value) in zip(ranges, initial) where value != 0 { buffer[range].update(repeating: value) }
    }
}

/// The values of a slot with their layout.
public struct Slot {
    /// The range of each parameter's values.
    public let layout: SlotLayout
    /// All of its values.
    public let buffer: FloatBuffer

    /// Its name in MindSpore.
    public var name: String { layout.name }
    /// By parameter index: its range in `buffer`; empty if the parameter has none.
    public var ranges: [Range<Int>] { layout.ranges }
    /// By parameter index: its shape; nil if the parameter has none.
    public var shapes: [Shape?] { layout.shapes }

    /// The values of a parameter.
    public subscript(parameter: Int) -> UnsafeMutableBufferPointer<Float> { buffer[ranges[parameter]] }
}
