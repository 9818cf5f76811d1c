// Numbers that someone else owns, such as the buffer that a decoder filled. Passed on without a copy.

import Optimizers

/// Immutable float32 values with the object that keeps them alive.
public struct Floats: @unchecked Sendable {
    /// Keeps `values` valid and unchanged.
    public let owner: AnyObject & Sendable
    /// The numbers.
    public let values: UnsafeBufferPointer<Float>

    /// Makes a reference to numbers inside `owner`.
    public init(owner: AnyObject & Sendable, values: UnsafeBufferPointer<Float>) {
        self.owner = owner
        self.values = values
    }

    /// The whole of a buffer.
    init(_ buffer: FloatBuffer) {
        self.init(owner: buffer, values: UnsafeBufferPointer(buffer[0..<buffer.count]))
    }
}
