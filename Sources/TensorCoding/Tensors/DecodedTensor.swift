// What a reader knows of one tensor once it has passed: name, shape, where its numbers are.

import Names

/// A tensor of a body, from JSON or safetensors alike.
public struct DecodedTensor: Sendable {
    /// Where its numbers are.
    public enum Content: Sendable {
        /// Dense values at the destination that the sink named; `buffer` is set where that was `.growing`.
        case dense(buffer: TensorBuffer?)
        /// Rows of a larger tensor: `values` holds one row for each index, in the order given.
        case rows(indices: [Int], values: TensorBuffer)
        /// One integer, `PARAMETER#step` of a state's file.
        case count(Int)
        /// None: a definition with a shape and an initializer.
        case none
    }

    /// Its name, escapes resolved.
    public internal(set) var name: Name
    /// A JSON pointer to it (`/gradients/fc3.bias`).
    public internal(set) var pointer: String
    /// Its dimensions as stated, or else as its lists are nested.
    ///
    /// For rows: the dense shape, where stated.
    public internal(set) var shape: [Int]?
    /// For rows: the dimensions of `values` as nested.
    public internal(set) var rowsShape: [Int] = []
    /// Values that came, also those that the destination had no room for.
    public internal(set) var elementCount = 0
    /// Whether no value is NaN or infinite.
    ///
    /// JSON numbers always are finite; base64 and safetensors may not be.
    public internal(set) var isFinite = true
    /// False where something is wrong with it, which is an issue of the body; its values are not to be used.
    public internal(set) var isRead = true
    /// Where its numbers are.
    public internal(set) var content = Content.none
    /// Its element type, where the body states one.
    public internal(set) var type: ElementType?
    /// Members of the tensor's object beside those that say its values: `init`, `trainable`, or mistakes.
    public internal(set) var fields: [JSONMember] = []
}

/// A body that has been read to its end.
public struct JSONBody: Sendable {
    /// The document; each tensor is a `.tensor(index)` in it.
    public var document: JSONValue
    /// The tensors in the order written.
    public var tensors: [DecodedTensor]
    /// What is wrong with them; the first ones.
    public var issues: [TensorIssue]
    /// How many issues there are in all.
    public var issueCount: Int
}
