// Shapes and parameters of a definition. All counts are checked for overflow here, before any allocation.

import Names

/// The extents of a tensor, row-major; no extents for a scalar.
public struct Shape: Sendable, Hashable {
    /// The extents, outermost first.
    public let dimensions: [Int]
    /// Their product: 1 for a scalar.
    public let elementCount: Int

    /// Makes a shape; nil if an extent is negative or the byte count overflows.
    ///
    /// A 0 among the extents does not excuse the others: their product must fit too.
    public init?(_ dimensions: [Int]) {
        var span = 1
        for extent in dimensions {
            let (product, overflow) = span.multipliedReportingOverflow(by: max(extent, 1))
            if extent < 0 || overflow || product > Int.max / 64 { return nil }
            span = product
        }
        self.dimensions = dimensions
        elementCount = dimensions.contains(0) ? 0 : span
    }

    /// The shape of a single number.
    public static let scalar = Shape(scalarWith: 1)

    private init(scalarWith count: Int) { (dimensions, elementCount) = ([], count) }

    /// The number of extents.
    public var rank: Int { dimensions.count }

    /// The number of values in one row (one index of the first extent).
    public var rowCount: Int { dimensions.dropFirst().reduce(1, *) }
}

/// A parameter before it is placed: its name, its shape and whether it is trained.
public struct ParameterDefinition: Sendable, Equatable {
    /// Its name, unique in the model.
    public var name: Name
    /// Its shape.
    public var shape: Shape
    /// False for values without gradients, which imports set (running statistics).
    public var isTrainable: Bool
    /// The integer type in which it is transferred; nil for floats and for all trained parameters.
    public var wireType: WireType?

    /// Makes a parameter's definition.
    public init(name: Name, shape: Shape, isTrainable: Bool = true, wireType: WireType? = nil) {
        self.name = name
        self.shape = shape
        self.isTrainable = isTrainable
        self.wireType = wireType
    }
}
