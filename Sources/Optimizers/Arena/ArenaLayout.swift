// The layout of the parameters in the arena, and their settings from the definition. `PlanBuilder` makes it once; the
// server uses it to cut answers and check pushes, the rules to update.

import Names

/// The parameters of a model in update order, contiguous and without padding.
public struct ArenaLayout: Sendable {
    /// All parameters, trained or not, in update order.
    public private(set) var parameters: [ParameterLayout]
    /// The groups in update order; a single group `default` if the definition has none.
    public let groups: [GroupLayout]
    /// The number of values in the arena.
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

    /// The index of a parameter in `parameters`; nil if there is none with the name.
    public func index(of name: Name) -> Int? { indexByName[name] }

    /// The index of the parameter whose name has these bytes; nil if there is none.
    ///
    /// - Parameter last: the parameter found before. The one after it is tried first, without a search.
    public func index(of bytes: UnsafeBufferPointer<UInt8>, after last: Int) -> Int? {
        let next = last + 1
        if parameters.indices.contains(next), parameters[next].name.isSpelled(bytes) { return next }
        return indexByName[Name(String(decoding: bytes, as: UTF8.self))]
    }

    /// The index of a group in `groups`; nil if there is none with the name.
    public func groupIndex(of name: Name) -> Int? { groupByName[name] }

    /// This layout with weight decay applied to the parameters for which `decays` is true, where nothing exempts them.
    func decaying(_ decays: (ParameterLayout) -> Bool) -> ArenaLayout {
        var layout = self
        for index in parameters.indices {
            layout.parameters[index].decays = parameters[index].mayDecay && decays(parameters[index])
        }
        return layout
    }

    /// Whether both layouts have the same parameters in the same groups at the same ranges.
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
    /// Its shape.
    public let shape: Shape
    /// Whether it is trained.
    public let isTrainable: Bool
    /// The integer type in which it is transferred; nil for floats.
    public let wireType: WireType?
    /// The range of its values in the arena.
    public let range: Range<Int>
    /// Its group; nil for an untrained parameter without a group.
    public let groupIndex: Int?
    /// Whether weight decay applies to it.
    public fileprivate(set) var decays: Bool
    /// Whether weight decay applies to it if there is any.
    let mayDecay: Bool
    /// Why weight decay does or does not apply.
    public let decayReason: String
    /// Whether its gradient is centralized.
    public let isCentralized: Bool
    /// Why it is or is not centralized.
    public let centralizationReason: String
}

/// One group of the arena.
public struct GroupLayout: Sendable {
    /// Its name, unique in the model.
    public let name: Name
    /// The indices of its parameters in `ArenaLayout.parameters`, ascending.
    public let parameterIndices: [Int]
    /// JSON pointer to the object that defines it; empty for the implicit group.
    public let pointer: String
}

extension ParameterDefinition {
    init(_ layout: ParameterLayout) {
        self.init(
            name: layout.name, shape: layout.shape, isTrainable: layout.isTrainable, wireType: layout.wireType)
    }
}
