// What decides where a value is: the parameters in update order, each with its shape and its group. A model grows from
// one placement to another, and bodies that were read for the old one are moved by name.

import Names

/// The parameters of a model in update order, without their rules.
public struct Placement: Sendable, Equatable {
    /// A parameter and its group.
    public struct Place: Sendable, Equatable {
        /// Name, shape, and whether it is trained.
        public var definition: ParameterDefinition
        /// The name of its group; nil for an untrained parameter without one.
        public var group: Name?

        /// Combines a parameter with its group.
        public init(_ definition: ParameterDefinition, group: Name?) {
            (self.definition, self.group) = (definition, group)
        }
    }

    /// The parameters in update order.
    public private(set) var places: [Place]
    /// By index: the range of its values in an arena.
    public private(set) var ranges: [Range<Int>]
    private var indexByName: [Name: Int]

    /// Places parameters one after another, without gaps.
    public init(_ places: [Place]) {
        self.places = places
        var start = 0
        ranges = places.map { place in
            defer { start += place.definition.shape.elementCount }
            return start..<start + place.definition.shape.elementCount
        }
        indexByName = Dictionary(
            places.enumerated().map { ($1.definition.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The number of values in an arena.
    public var count: Int { ranges.last?.upperBound ?? 0 }

    /// The index of a parameter; nil if there is none with the name.
    public func index(of name: Name) -> Int? { indexByName[name] }

    /// Whether both have the same parameters in the same groups and order.
    public static func == (one: Placement, other: Placement) -> Bool { one.places == other.places }

    /// The members of each group, in update order.
    var members: [Name: [Name]] {
        var members: [Name: [Name]] = [:]
        for place in places { if let group = place.group { members[group, default: []].append(place.definition.name) } }
        return members
    }
}

extension ArenaLayout {
    /// The parameters with the names of their groups.
    public var placement: Placement {
        Placement(
            parameters.map { Placement.Place(ParameterDefinition($0), group: $0.groupIndex.map { groups[$0].name }) })
    }
}

extension Shape {
    /// Whether it has the same rows as another, perhaps more or fewer of them.
    ///
    /// Row-major values of the shorter one are then the first values of the longer one.
    public func hasRows(of other: Shape) -> Bool {
        self == other || rank >= 1 && rank == other.rank && dimensions.dropFirst() == other.dimensions.dropFirst()
    }
}
