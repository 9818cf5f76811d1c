// The writing end of a destination: stores while there is room, counts what comes after.

import Glibc

/// Where the next value of a tensor goes.
struct TensorOutput {
    /// Values that came.
    private(set) var count = 0
    /// The buffer, where the destination grows.
    let buffer: TensorBuffer?
    /// Set once the budget has refused the buffer's growth.
    private(set) var isOverBudget = false

    private let memory: UnsafeMutableBufferPointer<Float>
    private static let surplusWindow = 256

    init(_ destination: TensorDestination) {
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

    /// What has been written, as far as there was room.
    var written: UnsafeBufferPointer<Float> {
        if let buffer { return UnsafeBufferPointer(buffer.values) }
        return UnsafeBufferPointer(rebasing: memory.prefix(count))
    }

    /// Lets `write` fill the next stretch of the destination, or a window that is thrown away where there is no room.
    ///
    /// - Parameters:
    ///   - wanted: values that the stretch should hold; it may be shorter, never empty.
    ///   - sink: asked before a buffer grows.
    ///   - write: gets the stretch and returns how many values it wrote.
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
            count += write(window)
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
