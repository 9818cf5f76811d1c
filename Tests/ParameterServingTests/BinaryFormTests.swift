// Data from disk is what was written; a form that is truncated anywhere, or claims more than it has, is an error and
// never a trap. Uploaded model files use the same readers, so this matters for security too.

import Journal
import Optimizers
import SimulatedMachine
import Testing

@testable import ParameterServing

@Suite("Binary forms")
struct BinaryFormTests {
    private static let setting: SettingValue = [
        "null": nil, "boolean": true, "integer": -7, "number": 0.1, "string": "Straße", "numbers": [1.5, -2, 1e300],
        "array": .array([nil, "x", .array([])]), "object": ["inner": [:]],
    ]

    @Test("settings come back as they were")
    func setting() throws {
        var writer = ByteWriter()
        writer.write(Self.setting)
        #expect(try parse(writer.bytes) { reader throws(FormatError) in try reader.readSetting() } == Self.setting)
    }

    @Test("a definition comes back with its values, whatever they are")
    func definition() throws {
        let values: [Float] = [1.5, -0.0, .infinity, .leastNonzeroMagnitude, .nan]
        let definition = ModelDefinition.of(Self.setting, [("w", values), ("v", [])])
        let copy = try parse(bytes(of: definition)) { reader throws(FormatError) in
            try ModelDefinition(reading: &reader)
        }
        #expect(copy.settings == definition.settings)
        #expect(copy.parameters.map(\.definition) == definition.parameters.map(\.definition))
        guard case .values(let source)? = copy.parameters.first?.value else {
            return #expect(Bool(false), "the values are gone")
        }
        #expect(source.values.map(\.bitPattern) == values.map(\.bitPattern))
        #expect(copy.writtenFingerprint == definition.writtenFingerprint)
    }

    @Test("a ledger comes back entry for entry")
    func ledger() throws {
        let ledger = Sample.ledger
        var writer = ByteWriter()
        writer.write(workers: ledger.workers)
        let copy = try parse(writer.bytes) { reader throws(FormatError) in try reader.readLedger() }
        #expect(copy.workers == ledger.workers)
        #expect(copy.keys.isEmpty)
    }

    @Test("an image's head comes back with every field")
    func image() throws {
        let image = try Sample.image()
        let head = try ImageSource.of(image.bytes).head().head
        #expect(head.name == "sample" && head.uid == image.head.uid && head.fingerprint == image.head.fingerprint)
        #expect(head.settings == image.head.settings && head.parameters == image.head.parameters)
        #expect(head.version == 3 && head.divergence == nil && head.position == image.head.position)
        #expect(head.workers == image.head.workers && head.history == image.head.history)
        #expect(head.optimizer.step == 2 && head.optimizer.slots.map(\.name) == image.head.optimizer.slots.map(\.name))
    }

    @Test("a form that is truncated anywhere is an error", arguments: Sample.Form.allCases)
    func truncation(form: Sample.Form) throws {
        let whole = try form.bytes()
        try form.read(whole)
        for count in sweep(whole.indices) {
            #expect(throws: (any Error).self, "the first \(count) bytes of \(whole.count)") {
                try form.read(Array(whole.prefix(count)))
            }
        }
    }

    @Test("no change of a byte makes a reader trap or allocate what is not there", arguments: Sample.Form.allCases)
    func damage(form: Sample.Form) throws {
        let (whole, model) = (try form.bytes(), try Sample.model())
        let values: [UInt8] = [0x00, 0x01, 0x7F, 0x80, 0xFF]
        // Each reading of an image builds its model: of its thousands of bytes, every 31st tells as much, with one value.
        let isLong = whole.count > 2000
        let step = isLong ? 31 : 1
        for place in sweep(0..<whole.count / step) {
            for value in isLong ? [values[place % values.count]] : values {
                var changed = whole
                changed[place * step] = value
                try? form.read(changed, in: model)
            }
        }
    }

    @Test("settings nested too deeply are an error, not a stack overflow")
    func depth() {
        var writer = ByteWriter()
        for _ in 0..<1_000_000 {
            writer.write(UInt8(6))
            writer.write(1)
        }
        writer.write(UInt8(0))
        #expect(throws: FormatError.self) {
            try parse(writer.bytes) { reader throws(FormatError) in try reader.readSetting() }
        }
    }

    @Test("sizes that no memory holds are errors", arguments: [Int.max, Int.max / 4, Int.max / 64, -1, 1 << 40])
    func impossibleSizes(count: Int) throws {
        var state = ByteWriter()
        state.write(
            OptimizerState(step: 0, isStarted: [], counts: [], parameterScalars: [:], lossScaler: [], slots: []))
        var bytes = Array(state.bytes.dropLast(8))
        var slots = ByteWriter()
        slots.write(1)
        slots.write("moments")
        slots.write(count)
        bytes += slots.bytes
        #expect(throws: FormatError.self) {
            try parse(bytes) { reader throws(FormatError) in try reader.readOptimizerState(slotBytes: 1 << 20) }
        }
    }

    @Test("slots of an uploaded file that the system has no memory for are reported as that, not as unreadable")
    func refusedSlots() throws {
        // An address has 47 bits, so 2^50 bytes cannot fit.
        let count = 1 << 48
        func slot(_ count: Int) -> [UInt8] {
            var writer = ByteWriter()
            writer.write("moments")
            writer.write(count)
            return writer.bytes
        }
        var head = Array(try Sample.image().headBytes.dropFirst(8))
        head.replace(slot(4), with: slot(count))
        let buffer = FloatBuffer(owed: 1)
        let values = Floats(owner: buffer, values: UnsafeBufferPointer(start: buffer.base, count: count))
        #expect(throws: ServingError.noMemory(needed: 1 << 50)) {
            _ = try ModelSource(image: head, tensors: ["w": ([count], values)], catalogue: .builtin)
        }
    }

    @Test("counts per parameter come back; a state from before there were any has none")
    func counts() throws {
        var state = OptimizerState(
            step: 9, isStarted: [true, false], counts: [4, 0], parameterScalars: [:], lossScaler: [], slots: [])
        #expect(try roundTrip(state).counts == [4, 0])
        #expect(try roundTrip(state).step == 9)
        state.counts = nil
        var old = ByteWriter()
        old.write(9)
        old.write([true, false]) { $0.write($1) }
        for _ in 0..<3 { old.write(0) }
        var now = ByteWriter()
        now.write(state)
        #expect(now.bytes == old.bytes)
        #expect(try roundTrip(state).counts == nil)
    }

    private func roundTrip(_ state: OptimizerState) throws -> OptimizerState {
        var writer = ByteWriter()
        writer.write(state)
        return try parse(writer.bytes) { reader throws(FormatError) in try reader.readOptimizerState(slotBytes: 0) }
    }

    @Test("an uploaded loss scale that no count can hold is refused", arguments: [Double.nan, .infinity, 1e300, -1])
    func impossibleScalars(value: Double) throws {
        let optimizer = try Catalogue.builtin.makeOptimizer(
            definition: ["optimizer": "sgd", "loss_scaling": ["type": "dynamic"]],
            parameters: [ParameterDefinition(name: "w", shape: try #require(Shape([1])), isTrainable: true)])
        var state = optimizer.exportState()
        for index in 0..<4 where index > 0 || value != 1e300 {
            state.lossScaler = [1024, 0, 0, 0]
            state.lossScaler[index] = value
            #expect(throws: OptimizerError.self, "place \(index)") { try optimizer.importState(state) }
        }
    }
}
