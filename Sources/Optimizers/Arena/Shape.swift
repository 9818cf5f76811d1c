// Shapes and parameters as a definition names them. Every count is overflow-checked here, before anything is allocated.

import Names

/// The extents of a tensor, row-major; no extents for a scalar.
public struct Shape: Sendable, Hashable {
    /// The extents, outermost first.
    public let dimensions: [Int]
    /// Their product: 1 for a scalar.
    public let elementCount: Int

    /// Makes a shape; nil where an extent is negative or the count of bytes would not fit.
    ///
    /// A 0 among the extents does not excuse the others: their product must fit as well.
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

    /// How many extents there are.
    public var rank: Int { dimensions.count }

    /// How many values one row (one index of the first extent) holds.
    public var rowCount: Int { dimensions.dropFirst().reduce(1, *) }
}

/// A parameter before it has a place: its name, its shape and whether it is trained.
public struct ParameterDefinition: Sendable, Equatable {
    /// Its name, unique in the model.
    public var name: Name
    /// Its extents.
    public var shape: Shape
    /// False for values that take no gradient and are set by import (running statistics).
    public var isTrainable: Bool
    /// The integers as which it travels; nil for floats, as all that is trained.
    public var wireType: WireType?

    /// Makes a parameter's definition.
    public init(name: Name, shape: Shape, isTrainable: Bool = true, wireType: WireType? = nil) {
        self.name = name
        self.shape = shape
        self.isTrainable = isTrainable
        self.wireType = wireType
    }
}
