// The bytes that may be logged before the next snapshot, for models and disks of every size.

import Testing

@testable import ParameterServing

@Suite("Snapshot allowance")
struct SnapshotAllowanceTests {
    private static let (mebibyte, gibibyte) = (1 << 20, 1 << 30)

    /// Weight, room and allowance in MiB.
    private static let cases: [(weight: Int, room: Int, expected: Int)] = [
        (1, 1 << 20, 64), (8, 1 << 20, 64), (9, 1 << 20, 72), (100, 1 << 20, 800), (512, 1 << 20, 4096),
        (800, 1 << 20, 4096), (1024, 1 << 20, 4096), (2048, 1 << 20, 8192),
        (100, 4800, 800), (100, 4200, 700), (100, 1200, 200), (100, 0, 200), (10, 0, 64),
    ]

    @Test("it follows models, and large ones or a full disk reduce it", arguments: cases)
    func allowance(weight: Int, room: Int, expected: Int) {
        var allowance = SnapshotAllowance(least: 64 * Self.mebibyte)
        allowance.weight = weight * Self.mebibyte
        allowance.room = room * Self.mebibyte
        #expect(allowance.bytes == expected * Self.mebibyte)
    }

    @Test("a disk of unknown size does not reduce it")
    func unknown() {
        var allowance = SnapshotAllowance(least: 1)
        allowance.weight = Self.gibibyte / 8
        #expect(allowance.bytes == Self.gibibyte)
    }

    @Test("what the records of models need counts as free, since the next snapshot frees it")
    func room() throws {
        let registry = ModelRegistry(
            configuration: ServingConfiguration(memoryLimit: 1 << 30), catalogue: .builtin)
        defer { registry.shutDown() }
        let model = try registry.make(["optimizer": "sgd"], [("w", Array(repeating: 0, count: 1000))])
        var state = KeeperState(logged: 0, leastAllowance: 1, journalLimit: 0)
        state.watch(model, coveredTo: 1, mark: 0, coveredMark: 0)
        #expect(state.mostNeeded == 3 * 8 * model.bytes)
        _ = state.log(12 * model.bytes)
        state.note(freeBytes: 12 * model.bytes)
        #expect(state.mostNeeded == 3 * 4 * model.bytes)
        state.note(freeBytes: .max)
        #expect(state.mostNeeded == 3 * 8 * model.bytes)
    }
}
