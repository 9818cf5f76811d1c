// Writes to a destination: stores values while there is room, and counts and spills the rest.

import Glibc
import Names

/// Where the next value of a tensor goes.
struct TensorOutput {
    /// The number of values received.
    private(set) var count = 0
    /// The buffer, if the destination grows.
    let buffer: TensorBuffer?
    /// Set once the budget refuses the buffer's growth.
    private(set) var isOverBudget = false

    private let name: Name
    private let memory: UnsafeMutableBufferPointer<Float>
    private static let surplusWindow = 256

    init(_ destination: TensorDestination, of name: Name = "") {
        self.name = name
        switch destination {
        case .memory(let memory):
            self.memory = memory
            buffer = nil
        case .growing:
            memory = UnsafeMutableBufferPointer(start: nil, count: 0)
            buffer = TensorBuffer()
        case .nowhere:
            memory = UnsafeMutableBufferPointer(start: nil, count: 0)
            buffer = nil
        }
    }

    /// The values stored.
    var written: UnsafeBufferPointer<Float> {
        if let buffer { return UnsafeBufferPointer(buffer.values) }
        return UnsafeBufferPointer(rebasing: memory.prefix(count))
    }

    /// Lets `write` fill the next part of the destination; once that is full, a scratch window that is spilled.
    ///
    /// - Parameters:
    ///   - wanted: the preferred number of values; the part may be shorter, never empty.
    ///   - sink: approves the growth of a buffer, and receives what is spilled.
    ///   - write: receives the part and returns the number of values written.
    mutating func fill(
        _ wanted: Int, sink: any TensorSink, _ write: (UnsafeMutableBufferPointer<Float>) -> Int
    ) {
        let room = makeRoom(wanted, sink: sink)
        guard room.isEmpty else {
            let written = write(room)
            count += written
            buffer?.count = count
            return
        }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: min(wanted, Self.surplusWindow)) { window in
            let written = write(window)
            count += written
            if buffer == nil { sink.spill(UnsafeBufferPointer(rebasing: window.prefix(written)), of: name) }
        }
    }

    /// Adds one value.
    mutating func append(_ value: Float, sink: any TensorSink) {
        fill(1, sink: sink) { room in
            room[0] = value
            return 1
        }
    }

    private mutating func makeRoom(_ wanted: Int, sink: any TensorSink) -> UnsafeMutableBufferPointer<Float> {
        guard let buffer else {
            return UnsafeMutableBufferPointer(rebasing: memory[min(count, memory.count)...])
        }
        if isOverBudget { return UnsafeMutableBufferPointer(start: nil, count: 0) }
        guard buffer.grow(to: count + wanted, allows: sink.allowGrowth) else {
            isOverBudget = true
            return UnsafeMutableBufferPointer(start: nil, count: 0)
        }
        return UnsafeMutableBufferPointer(start: buffer.base + count, count: buffer.capacity - count)
    }
}
