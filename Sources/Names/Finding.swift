// What a mistake expected and what it got, as data: the decoders and the optimizers find it, the API renders it, and a
// client computes with it. Lives beside `Name`, which they all share.

/// A few words, or a shape.
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

/// A mistake that tells what was expected and what came.
public protocol Mistake {
    /// What would have been right.
    var expected: Finding? { get set }
    /// What was there.
    var got: Finding? { get set }
}

extension Mistake {
    /// The same mistake, with both as data.
    public func comparing(expected: Finding?, got: Finding?) -> Self {
        var copy = self
        (copy.expected, copy.got) = (expected, got)
        return copy
    }
}
