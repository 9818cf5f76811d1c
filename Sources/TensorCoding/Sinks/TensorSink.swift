// Where the numbers of a body go. The readers of JSON and safetensors ask; a push answers with its arena, a definition
// with growing buffers.

import Names

/// Where the values of one tensor are written.
public enum TensorDestination {
    /// Memory of the caller's, valid until reading ends. Values past its end are counted, not stored.
    case memory(UnsafeMutableBufferPointer<Float>)
    /// A buffer of the reader's that grows with the values.
    case growing
    /// Nowhere: the values are checked and counted.
    case nowhere
}

/// Whether a tensor may consist of integers.
public enum IntegerUse: Sendable, Equatable {
    /// Only floats are read.
    case refused
    /// Integer types are read too.
    case taken
    /// The values have to be integers of this type, whatever type they come in, and none may be rounded.
    case wanted(ElementType)

    /// The type that the values have to belong to.
    var type: ElementType? { if case .wanted(let type) = self { type } else { nil } }
}

/// The receiver of a body's tensors; called on the thread that reads.
public protocol TensorSink: AnyObject {
    /// Where the dense values of `name` go, asked when the first of them is near.
    ///
    /// - Parameters:
    ///   - name: the tensor's name, not yet known to exist.
    ///   - section: the top-level key that holds it (`gradients`); empty in safetensors.
    func destination(for name: Name, in section: Name) -> TensorDestination

    /// Whether the tensor `name` may consist of integers.
    func integers(for name: Name) -> IntegerUse

    /// Whether a growing buffer or index list may take `bytes` more. Counting and giving back is the sink's affair.
    func allowGrowth(bytes: Int) -> Bool
}

extension TensorSink {
    /// Floats only, as gradients are.
    public func integers(for name: Name) -> IntegerUse { .refused }
}
