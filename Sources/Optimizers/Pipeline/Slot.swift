// Slots: the optimizer's memory, parallel to the arena. Declared by a rule, allocated by `Catalogue`, exported as they
// are.

/// A slot as a rule declares it, before anything is allocated.
public struct SlotDefinition {
    /// MindSpore's name of it, "moments"; in a checkpoint `<name>.<parameter>`.
    public let name: String
    let initial: (ParameterLayout) -> Float
    let shape: (ParameterLayout) -> Shape?
    let isArenaShaped: Bool

    /// A slot of the arena's shape that starts at one value.
    public init(_ name: String, initial: Float = 0) {
        self.init(name, initial: { _ in initial })
    }

    /// A slot of the arena's shape that starts at a value per parameter.
    public init(_ name: String, initial: @escaping (ParameterLayout) -> Float) {
        self.name = name
        self.initial = initial
        shape = { $0.shape }
        isArenaShaped = true
    }

    /// A slot whose shape differs from the parameter's; nil where a parameter has none.
    public init(_ name: String, shape: @escaping (ParameterLayout) -> Shape?) {
        self.name = name
        self.shape = shape
        initial = { _ in 0 }
        isArenaShaped = false
    }
}

/// A buffer of the optimizer with one range per parameter.
public final class Slot {
    /// MindSpore's name of it.
    public let name: String
    /// All of its values.
    public let buffer: FloatBuffer
    /// By parameter index: its values in `buffer`; empty where the parameter has none.
    public let ranges: [Range<Int>]
    /// By parameter index: its extents; nil where the parameter has none.
    public let shapes: [Shape?]

    init(_ definition: SlotDefinition, layout: ArenaLayout) {
        name = definition.name
        shapes = layout.parameters.map(definition.shape)
        var start = 0
        var ranges: [Range<Int>] = []
        for shape in shapes {
            let end = start + (shape?.elementCount ?? 0)
            ranges.append(start..<end)
            start = end
        }
        self.ranges = ranges
        buffer = FloatBuffer(count: start)
        for (parameter, range) in zip(layout.parameters, ranges) {
            let value = definition.initial(parameter)
            if value != 0 { buffer[range].update(repeating: value) }
        }
    }

    /// A slot of the same values in memory of its own.
    init(copying other: Slot) {
        (name, ranges, shapes) = (other.name, other.ranges, other.shapes)
        buffer = FloatBuffer(count: other.buffer.count)
        buffer.copy(from: other.buffer)
    }

    /// The values of a parameter.
    public subscript(parameter: Int) -> UnsafeMutableBufferPointer<Float> { buffer[ranges[parameter]] }
}
