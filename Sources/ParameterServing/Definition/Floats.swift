// Numbers with an owner, such as the buffer that a decoder filled; passed on without a copy.

import Optimizers

/// Immutable float32 values and the object that keeps them alive.
public struct Floats: @unchecked Sendable {
    /// Keeps `values` valid and unchanged.
    public let owner: AnyObject & Sendable
    /// The numbers.
    public let values: UnsafeBufferPointer<Float>

    /// Makes a reference to numbers in `owner`.
    public init(owner: AnyObject & Sendable, values: UnsafeBufferPointer<Float>) {
        self.owner = owner
        self.values = values
    }

    /// Makes a reference to a whole buffer.
    init(_ buffer: FloatBuffer) {
        self.init(owner: buffer, values: UnsafeBufferPointer(buffer[0..<buffer.count]))
    }
}
