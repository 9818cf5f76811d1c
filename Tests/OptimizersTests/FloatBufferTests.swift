// Memory that no machine has is refused without a trap; a logged change waits for its memory.

import Testing

@testable import Optimizers

/// Buffers of float32.
@Suite struct FloatBufferTests {
    /// An address has 47 bits, so 2^50 bytes cannot fit.
    @Test("a buffer beyond the address space is refused with its size")
    func beyondAddressSpace() throws {
        #expect(throws: OptimizerError.noMemory(bytes: 1 << 50)) { _ = try FloatBuffer(count: 1 << 48) }
        let buffer = try FloatBuffer(count: 3)
        withExtendedLifetime(buffer) { #expect(buffer[0..<3].allSatisfy { $0 == 0 }) }
    }

    /// The memory for copies of slots is reserved in advance, so that a logged change requests none.
    @Test("room for the copies of slots is taken once, used and given back")
    func roomForCopies() throws {
        let shape = try #require(Shape([1 << 20]))
        let definition = SettingValue.object([SettingValue.Entry(key: "optimizer", value: .string("adam"))])
        let optimizer = try Catalogue.builtin.makeOptimizer(
            definition: definition, parameters: [ParameterDefinition(name: "w", shape: shape)])
        var gradients = Gradients(dense: FloatBuffer(owed: 1 << 20), parameterCount: 1)
        gradients.isDense = [true]
        try optimizer.makeRoom(for: gradients, areModest: false)
        let kept = KeptSlots(optimizer.slots, of: optimizer.plan.layout, touchedBy: gradients, in: optimizer.room)
        #expect(kept.memory === optimizer.room)
        optimizer.leaveRoom()
        #expect(optimizer.room == nil)
    }
}
