// What is wrong with the tensors of a well-formed body; answered with 422 after the whole body is read.

import Names

/// One mistake in a tensor.
///
/// Reading continues, so that later mistakes and syntax errors are found too.
public struct TensorIssue: Mistake, Sendable, Equatable {
    /// The kinds of mistakes.
    public enum Kind: Sendable, Equatable {
        /// A boolean, string or `null` in place of a number (`TypeError` in MindSpore).
        case notANumber
        /// A number whose nearest float32 is infinite.
        case beyondFloat32
        /// Lists of different lengths, or numbers beside lists.
        case ragged
        /// A shape that is not a list of integers >= 0 with a countable product, or that does not match the data.
        case shape
        /// Text that is not base64 of whole elements.
        case base64
        /// An element type that is not supported here.
        case elementType
        /// An integer that float32 would round, or a number that is not an integer of the required type.
        case inexact
        /// Row indices that are not a list of integers, or whose count differs from that of the rows.
        case indices
        /// An object without values, with two kinds of values, or a value of the wrong type.
        case form
        /// The budget has no memory left for it.
        case budget
    }

    /// The kind of mistake.
    public var kind: Kind
    /// A JSON pointer to the place (`/gradients/w/0/3`).
    public var pointer: String
    /// A sentence that says what to change.
    public var detail: String
    /// The expected value, in short.
    public var expected: Finding?
    /// The actual value, in short.
    public var got: Finding?

    /// Makes an issue.
    public init(_ kind: Kind, at pointer: String, _ detail: String, expected: String? = nil, got: String? = nil) {
        self.kind = kind
        self.pointer = pointer
        self.detail = detail
        self.expected = expected.map(Finding.words)
        self.got = got.map(Finding.words)
    }
}

/// The issues of one body: the first ones in full, all of them counted.
struct IssueList {
    private(set) var described: [TensorIssue] = []
    private(set) var count = 0
    let limit: Int

    /// Adds an issue; makes its text only if the issue is kept.
    mutating func add(_ issue: @autoclosure () -> TensorIssue) {
        count += 1
        if described.count < limit { described.append(issue()) }
    }
}
