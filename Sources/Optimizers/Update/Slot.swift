// Slots: the optimizer's memory, parallel to the arena. A rule declares them, the plan places them, the state holds their
// values.

/// A slot as a rule declares it, before anything is allocated.
public struct SlotDefinition {
    /// MindSpore's name of it, "moments"; in a checkpoint `<name>.<parameter>`.
    public let name: String
    let initial: (ParameterLayout) -> Float
    let shape: (ParameterLayout) -> Shape?

    /// A slot of the arena's shape that starts at one value.
    public init(_ name: String, initial: Float = 0) {
        self.init(name, initial: { _ in initial })
    }

    /// A slot of the arena's shape that starts at a value per parameter.
    public init(_ name: String, initial: @escaping (ParameterLayout) -> Float) {
        self.name = name
        self.initial = initial
        shape = { $0.shape }
    }

    /// A slot whose shape differs from the parameter's; nil where a parameter has none.
    public init(_ name: String, shape: @escaping (ParameterLayout) -> Shape?) {
        self.name = name
        self.shape = shape
        initial = { _ in 0 }
    }
}

/// Where the values of a slot are: one range per parameter.
public struct SlotLayout: Sendable {
    /// MindSpore's name of it.
    public let name: String
    /// By parameter index: its values in the slot's memory; empty where the parameter has none.
    public let ranges: [Range<Int>]
    /// By parameter index: its extents; nil where the parameter has none.
    public let shapes: [Shape?]
    /// By parameter index: the value that a new slot is filled with.
    private let initial: [Float]

    /// - Parameter definitions: By parameter, what its rule declares under this name; nil for none.
    /// - Throws: `.invalid` where its values would not fit in any memory.
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

    /// How many values it has.
    var count: Int { ranges.last?.upperBound ?? 0 }

    /// The memory of another plan's slot of the same name; values of its own where that leaves other parameters out.
    ///
    /// - Parameter isOwed: whether they are needed by a change that has been logged.
    func carried(from old: Slot, isOwed: Bool) throws(OptimizerError) -> OptimizerState.SlotMemory {
        if old.ranges == ranges { return OptimizerState.SlotMemory(name: name, buffer: old.buffer) }
        let memory = try allocate(isOwed: isOwed)
        for (old, new) in zip(old.ranges.map { old.buffer[$0] }, ranges) where old.count == new.count {
            _ = memory.buffer[new].update(fromContentsOf: old)
        }
        return memory
    }

    /// Its first values, in memory of their own.
    ///
    /// - Parameter isOwed: whether they are needed by a change that has been logged.
    func allocate(isOwed: Bool) throws(OptimizerError) -> OptimizerState.SlotMemory {
        let buffer = isOwed ? FloatBuffer(owed: count) : try FloatBuffer(count: count)
        fill(buffer)
        return OptimizerState.SlotMemory(name: name, buffer: buffer)
    }

    /// Writes its first values over what there is.
    func reset(_ buffer: FloatBuffer) {
        buffer.zero()
        fill(buffer)
    }

    private func fill(_ buffer: FloatBuffer) {
        for (range, value) in zip(ranges, initial) where value != 0 { buffer[range].update(repeating: value) }
    }
}

/// The values of a slot with their places.
public struct Slot {
    /// Where the values of each parameter are.
    public let layout: SlotLayout
    /// All of its values.
    public let buffer: FloatBuffer

    /// MindSpore's name of it.
    public var name: String { layout.name }
    /// By parameter index: its values in `buffer`; empty where the parameter has none.
    public var ranges: [Range<Int>] { layout.ranges }
    /// By parameter index: its extents; nil where the parameter has none.
    public var shapes: [Shape?] { layout.shapes }

    /// The values of a parameter.
    public subscript(parameter: Int) -> UnsafeMutableBufferPointer<Float> { buffer[ranges[parameter]] }
}
