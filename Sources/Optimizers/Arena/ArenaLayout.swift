// Where each parameter is in the arena, and what the definition says about it. Made by `PlanBuilder` once; the server
// cuts answers and checks pushes by it, the rules update by it.

import Names

/// The parameters of a model in update order, contiguous and without padding.
public struct ArenaLayout: Sendable {
    /// Every parameter, trainable or not, in update order.
    public let parameters: [ParameterLayout]
    /// The groups in update order; one called `default` where the definition has none.
    public let groups: [GroupLayout]
    /// Values in the arena.
    public let count: Int
    private let indexByName: [Name: Int]
    private let groupByName: [Name: Int]

    init(parameters: [ParameterLayout], groups: [GroupLayout]) {
        self.parameters = parameters
        self.groups = groups
        count = parameters.last?.range.upperBound ?? 0
        indexByName = Dictionary(parameters.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        groupByName = Dictionary(groups.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The place of a parameter in `parameters`; nil where it is not one of them.
    public func index(of name: Name) -> Int? { indexByName[name] }

    /// The place of a group in `groups`; nil where it is not one of them.
    public func groupIndex(of name: Name) -> Int? { groupByName[name] }

    /// Whether both place the same parameters, in the same groups, at the same ranges.
    func places(like other: ArenaLayout) -> Bool {
        parameters.count == other.parameters.count
            && zip(parameters, other.parameters).allSatisfy {
                $0.name == $1.name && $0.shape == $1.shape && $0.groupIndex == $1.groupIndex
                    && $0.isTrainable == $1.isTrainable
            } && groups.map(\.name) == other.groups.map(\.name)
    }
}

/// One parameter of the arena.
public struct ParameterLayout: Sendable {
    /// Its name.
    public let name: Name
    /// Its extents.
    public let shape: Shape
    /// Whether it takes gradients.
    public let isTrainable: Bool
    /// The integers as which it travels; nil for floats.
    public let wireType: WireType?
    /// Its values in the arena.
    public let range: Range<Int>
    /// Its group; nil for an untrained parameter that no group names.
    public let groupIndex: Int?
    /// Whether weight decay reaches it.
    public let decays: Bool
    /// Why it does or does not, in words.
    public let decayReason: String
    /// Whether its gradient is centralized.
    public let isCentralized: Bool
    /// Why it is or is not, in words.
    public let centralizationReason: String
}

/// One group of the arena.
public struct GroupLayout: Sendable {
    /// Its name, unique in the model.
    public let name: Name
    /// Its parameters' places in `ArenaLayout.parameters`, ascending.
    public let parameterIndices: [Int]
    /// JSON pointer of the object that defines it; empty for the implicit group.
    public let pointer: String
}
