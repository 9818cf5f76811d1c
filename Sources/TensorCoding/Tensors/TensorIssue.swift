// What is wrong with the tensors of a body that is otherwise well-formed; answered with 422 once the whole body is read.

import Names

/// One mistake in a tensor.
///
/// Reading goes on, so that all of them, and a syntax error after them, come to light.
public struct TensorIssue: Mistake, Sendable, Equatable {
    /// The kinds of mistakes.
    public enum Kind: Sendable, Equatable {
        /// A boolean, string or `null` where a number is expected (`TypeError` in the words of MindSpore).
        case notANumber
        /// A number whose nearest float32 is infinite.
        case beyondFloat32
        /// Lists of different lengths, or numbers beside lists.
        case ragged
        /// A shape that is not a list of integers >= 0 with a countable product, or that does not fit the data.
        case shape
        /// Text that is not base64 of whole elements.
        case base64
        /// An element type that is not offered here.
        case elementType
        /// An integer that float32 would round, or a number that is not an integer of the type that is meant.
        case inexact
        /// Row indices that are not a list of integers, or not one for each row.
        case indices
        /// An object without values, with two kinds of values, or a value of another type than a tensor has.
        case form
        /// No memory left for it in the budget.
        case budget
    }

    /// What kind of mistake it is.
    public var kind: Kind
    /// A JSON pointer to the place (`/gradients/w/0/3`).
    public var pointer: String
    /// A sentence that says what to change.
    public var detail: String
    /// What was expected, in short.
    public var expected: Finding?
    /// What came, in short.
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

    /// Adds an issue; its text is made only where it will be kept.
    mutating func add(_ issue: @autoclosure () -> TensorIssue) {
        count += 1
        if described.count < limit { described.append(issue()) }
    }
}
