// An average as a part of a version: pulled like the parameters, from the same consistent state.

import Names
import Optimizers

/// An average of the parameters in one version.
public struct PublishedAverage: Sendable {
    /// Its definition.
    public let average: Average
    /// The number of updates that it has taken in.
    public let updates: Int
    /// Its values in update order; nil before its first update.
    public let arena: Arena?

    /// Its name in queries.
    public var name: Name { average.kind.name }
}

extension PublishedVersion {
    /// The values of the parameters, or those of an average.
    ///
    /// - Throws: `unknownAverage` if the version has none of that name, `averageNotStarted` before its first update.
    public func values(of average: Name?) throws(ServingError) -> Arena {
        guard let average else { return arena }
        let found = try self.average(average)
        guard let arena = found.arena else {
            throw .averageNotStarted(average, first: found.average.nextUpdate(after: step), step: step)
        }
        return arena
    }

    /// The average of that name.
    ///
    /// - Throws: `unknownAverage`.
    public func average(_ name: Name) throws(ServingError) -> PublishedAverage {
        guard let found = averages.first(where: { $0.name == name }) else {
            throw .unknownAverage(name, known: averages.map(\.name))
        }
        return found
    }
}

extension ModelFacts {
    /// The averages that the model keeps, in the order of `Average.Kind`.
    public var averages: [Average] { plan.averages }
}
