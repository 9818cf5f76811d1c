// The values of an average in a state: for images, restores and files, beside the optimizer's slots.

import Names

/// An average's values, and how many updates they have taken in.
public struct AverageMemory: Sendable {
    /// The formula.
    public let kind: Average.Kind
    /// The number of updates taken in, at least 1.
    public let updates: Int
    /// The values, in the layout of the parameters.
    public let buffer: FloatBuffer
    /// Keeps the values unchanged, if the buffer returns to a pool.
    public let owner: (any AnyObject & Sendable)?

    /// Combines the parts.
    public init(kind: Average.Kind, updates: Int, buffer: FloatBuffer, owner: (any AnyObject & Sendable)? = nil) {
        (self.kind, self.updates, self.buffer, self.owner) = (kind, updates, buffer, owner)
    }

    /// The name in files of a parameter's values in an average: no slot's name holds a full stop.
    public static func name(of parameter: Name, in kind: Average.Kind) -> Name {
        Name("\(parameter)#average.\(kind.rawValue)")
    }
}
