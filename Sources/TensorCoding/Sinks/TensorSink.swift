// The destinations of the numbers of a body. The readers of JSON and safetensors request them; a push provides its
// arena, a definition growing buffers.

import Names

/// Where the values of one tensor are written.
public enum TensorDestination {
    /// Memory of the caller, valid until reading ends. Values past its end are passed to `spill`.
    case memory(UnsafeMutableBufferPointer<Float>)
    /// A buffer of the reader that grows with the values.
    case growing
    /// No destination: the values are checked, and passed to `spill`.
    case nowhere
}

/// Whether a tensor may contain integers.
public enum IntegerUse: Sendable, Equatable {
    /// Only floats are accepted.
    case refused
    /// Integer types are accepted too.
    case taken
    /// The values must be integers of this type, whatever type they are sent as, and none may be rounded.
    case wanted(ElementType)

    /// The type that the values must fit.
    var type: ElementType? { if case .wanted(let type) = self { type } else { nil } }
}

/// A tensor that a sink knows before it comes.
public struct KnownTensor: Sendable {
    /// Its name.
    public let name: Name
    /// The number that the sink gives to this name and no other.
    public let place: Int
    /// The shape that it should have.
    public let shape: [Int]

    /// Makes the record of a tensor.
    public init(name: Name, place: Int, shape: [Int]) { (self.name, self.place, self.shape) = (name, place, shape) }
}

/// The receiver of a body's tensors; called on the thread that reads.
public protocol TensorSink: AnyObject {
    /// The tensor whose name has these bytes, if the sink knows it: a file of many tensors then needs no text, no memory
    /// and no search for each.
    ///
    /// - Parameter place: the place of the last tensor; the next one of a file is often the next one of the sink.
    func known(_ bytes: UnsafeBufferPointer<UInt8>, after place: Int) -> KnownTensor?

    /// As `destination(for:in:)`, for a tensor that the sink knows.
    func destination(ofKnown place: Int) -> TensorDestination

    /// The destination of the dense values of `name`, requested shortly before the first of them.
    ///
    /// - Parameters:
    ///   - name: the tensor's name, not yet known to exist.
    ///   - section: the top-level key that holds it (`gradients`); empty in safetensors.
    func destination(for name: Name, in section: Name) -> TensorDestination

    /// Whether the tensor `name` may contain integers.
    func integers(for name: Name) -> IntegerUse

    /// Receives values of `name` that have no room at their destination, in order; nothing else stores them.
    func spill(_ values: UnsafeBufferPointer<Float>, of name: Name)

    /// Approves `bytes` more for a growing buffer or list of indices. The sink counts and returns the memory.
    func allowGrowth(bytes: Int) -> Bool
}

extension TensorSink {
    /// None is known.
    public func known(_ bytes: UnsafeBufferPointer<UInt8>, after place: Int) -> KnownTensor? { nil }

    /// None: no tensor is known.
    public func destination(ofKnown place: Int) -> TensorDestination { .nowhere }

    /// Floats only, as for gradients.
    public func integers(for name: Name) -> IntegerUse { .refused }

    /// Drops the values.
    public func spill(_ values: UnsafeBufferPointer<Float>, of name: Name) {}
}
