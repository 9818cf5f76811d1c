// Memory shared by answers, counted in the budget.

import HTTPServing
import ParameterServing

/// Bytes that are filled before the first answer with them is sent.
final class SharedBytes: @unchecked Sendable {
    /// To be filled by its maker.
    let target: UnsafeMutableRawBufferPointer
    private let memory: (any AnyObject & Sendable)?

    /// Allocates memory to be filled; `memory` is its loan from the budget.
    init(count: Int, memory: (any AnyObject & Sendable)?) {
        target = .allocate(byteCount: count, alignment: 16)
        self.memory = memory
    }

    /// Copies some bytes; `memory` is their loan from the budget.
    convenience init(_ source: [UInt8], memory: (any AnyObject & Sendable)? = nil) {
        self.init(count: source.count, memory: memory)
        target.copyBytes(from: source)
    }

    deinit { target.deallocate() }

    var segment: Response.Segment { Response.Segment(owner: self, bytes: UnsafeRawBufferPointer(target)) }
}
