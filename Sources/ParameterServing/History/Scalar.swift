// A metric that a client measures and reports, with a push or in a separate request. The server only records it.

import Names

/// A named number, such as a validation accuracy.
public struct Scalar: Sendable, Equatable {
    /// Its name, as in the chart.
    public var name: Name
    /// Its value, a finite number.
    public var value: Double

    /// Makes a metric from its parts.
    public init(name: Name, value: Double) {
        self.name = name
        self.value = value
    }
}
