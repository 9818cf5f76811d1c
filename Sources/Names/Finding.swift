// What a mistake expected and what it got, as data: decoders and optimizers report it, the API renders it, and clients
// compute with it.

/// Words or a shape.
public enum Finding: Sendable, Hashable, CustomStringConvertible {
    /// Words such as "a number > 0", or a value as the client wrote it.
    case words(String)
    /// The dimensions of a tensor, which clients read as an array of integers.
    case shape([Int])

    /// The words, or the shape as `[2, 3]`.
    public var description: String {
        switch self {
        case .words(let words): words
        case .shape(let dimensions): "\(dimensions)"
        }
    }
}

/// A mistake with its expected and actual value.
public protocol Mistake {
    /// The expected value.
    var expected: Finding? { get set }
    /// The actual value.
    var got: Finding? { get set }
}

extension Mistake {
    /// The same mistake with both values as data.
    public func comparing(expected: Finding?, got: Finding?) -> Self {
        var copy = self
        (copy.expected, copy.got) = (expected, got)
        return copy
    }
}
