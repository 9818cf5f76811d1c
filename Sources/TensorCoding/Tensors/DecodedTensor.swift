// The reader's record of one tensor: name, shape and the place of its numbers.

import Names

/// A tensor of a body, from JSON or safetensors alike.
public struct DecodedTensor: Sendable {
    /// Where the numbers are.
    public enum Content: Sendable {
        /// Dense values at the sink's destination; `buffer` is set if that was `.growing`.
        case dense(buffer: TensorBuffer?)
        /// Rows of a larger tensor: `values` holds one row for each index, in the order given.
        case rows(indices: [Int], values: TensorBuffer)
        /// One integer, `PARAMETER#step` of a state file.
        case count(Int)
        /// None: a definition with a shape and an initializer.
        case none
    }

    /// Its name, with escapes resolved.
    public internal(set) var name: Name
    /// The number that the sink gave it; nil if the sink did not know it.
    public internal(set) var place: Int?
    /// The stated dimensions, or else those of its nested lists.
    ///
    /// For rows: the dense shape, if stated.
    public internal(set) var shape: [Int]?
    /// For rows: the dimensions of `values` as nested.
    public internal(set) var rowsShape: [Int] = []
    /// The number of values received, including those without room at the destination.
    public internal(set) var elementCount = 0
    /// Whether all values are finite.
    ///
    /// JSON numbers always are; base64 and safetensors values may not be.
    public internal(set) var isFinite = true
    /// Whether the magnitudes of all values are known to be below `modestBound`.
    ///
    /// Found on the way by the decoder of base64 and safetensors; unknown for JSON numbers.
    public internal(set) var isModest = false
    /// A power of two, so that exponents tell.
    static let modestBound: Float = 0x1p30
    /// False if an issue of the body concerns it; do not use its values then.
    public internal(set) var isRead = true
    /// Where its numbers are.
    public internal(set) var content = Content.none
    /// Its element type, if the body states one.
    public internal(set) var type: ElementType?
    /// Members of the tensor's object other than its values: `init`, `trainable`, or mistakes.
    public internal(set) var fields: [JSONMember] = []
    /// Its pointer, unless its name says it all.
    private var ownPointer: String?

    /// A tensor at the top level of a file.
    init(name: Name) { self.name = name }

    /// A JSON pointer to it (`/gradients/fc3.bias`).
    public internal(set) var pointer: String {
        get { ownPointer ?? "/" + name.pointerEscaped }
        set { ownPointer = newValue }
    }
}

/// A body that has been read to its end.
public struct JSONBody: Sendable {
    /// The document; each tensor is a `.tensor(index)` in it.
    public var document: JSONValue
    /// The tensors in the order written.
    public var tensors: [DecodedTensor]
    /// The first mistakes in the tensors.
    public var issues: [TensorIssue]
    /// The number of all issues.
    public var issueCount: Int
}
