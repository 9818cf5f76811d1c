// Images of format 6 and 7, and records of layouts, from a writer of its own: Reference/make_golden.py. The expected
// values are those that it was given.

import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Golden files of another writer")
struct GoldenLayoutTests {
    private static func command(_ form: Sample.Form) throws -> Command {
        let model = try Sample.model()
        return try GoldenTests.golden("\(form).bin", of: "v4").withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return try Command(form.kind, reading: &reader, layout: model.layout, pool: model.pool)
        }
    }

    private static func floats(_ buffer: FloatBuffer) -> [Float] { Array(buffer[0..<buffer.count]) }

    @Test("records of layouts are what this release writes", arguments: [Sample.Form.growth, .patchOfLayout])
    func bytes(form: Sample.Form) throws {
        #expect(try form.bytes() == GoldenTests.golden("\(form).bin", of: "v4"))
    }

    @Test("a growth loads with every field")
    func growth() throws {
        guard case .grow(let growth, let ifVersion) = try Self.command(.growth) else {
            return #expect(Bool(false), "it is a growth")
        }
        #expect(ifVersion == [3] && growth.group == "default" && growth.rows.count == 1)
        #expect(growth.rows[0].parameter == "w" && growth.rows[0].count == 3)
        #expect(growth.rows[0].initial == ["type": "normal", "seed": 5])
        let definitions = growth.added.map(\.definition)
        #expect(definitions.map(\.name) == ["x", "ünit"] && definitions.map(\.shape.dimensions) == [[2], []])
        #expect(definitions.map(\.isTrainable) == [true, false] && definitions.map(\.wireType) == [nil, .int8])
        guard case .values(let values) = growth.added[0].value, case .initializer(let ones) = growth.added[1].value
        else { return #expect(Bool(false), "values, then an initializer") }
        #expect(Array(values.values) == [7, 8] && ones == "ones")
    }

    @Test("a patch of the layout loads with every field")
    func patch() throws {
        guard case .reconfigure(let patch, nil) = try Self.command(.patchOfLayout) else {
            return #expect(Bool(false), "it is a patch without a condition")
        }
        #expect(patch.group == nil && patch.patch == ["parameters": ["w": ["trainable": false]]])
    }

    @Test("a restore of another layout loads with every field")
    func restore() throws {
        guard case .restore(let restoration) = try Self.command(.restoreOfLayout) else {
            return #expect(Bool(false), "it is a restore")
        }
        let places = try #require(restoration.placement).places
        #expect(places.map(\.definition.name) == ["w", "v"] && places.map(\.group) == ["default", nil])
        #expect(places.map(\.definition.shape.dimensions) == [[5], [1]])
        #expect(places.map(\.definition.isTrainable) == [true, false])
        let state = restoration.optimizer
        #expect(state.step == 7 && state.isStarted == [true, false] && state.lossScaler == [8, 2, 1, 0])
        #expect(state.slots.map(\.name) == ["moments"] && restoration.version == 9)
        #expect(Self.floats(state.slots[0].buffer) == [-1, -2, -3, -4, -5, -6])
        #expect(Self.floats(try #require(restoration.arena).buffer) == [1, 2, 3, 4, 5, 6])
    }

    @Test("images load with every field, and are what this release writes", arguments: [6, 7])
    func image(format: Int) throws {
        let bytes = try GoldenTests.golden("image\(format).bin", of: "v4")
        let (head, end) = try ImageSource.of(bytes).head()
        var written: [UInt8] = []
        head.write { written += $0 }
        #expect(written == Array(bytes[..<end]))
        #expect(head.name == "golden" && head.uid.description == "cafef00d")
        #expect(head.version == 5 && head.position == 12 && head.eventCount == 40 && head.optimizer.step == 2)
        #expect(head.optimizer.counts == [2, 1] && head.optimizer.averages.map(\.updates) == [2])
        #expect(
            head.history.turns
                == [.init(version: 2, step: 1), .init(version: 4, step: 2, source: 3)])
        #expect(head.forgottenKeys.map(\.time) == [1_500_000_000] && head.expired["gone"]?.lastSeq == 9)
        #expect(head.clocks.clocks == ["a": 7] && head.clocks.departed == ["gone"])
        #expect(head.epochs == EpochCounter(last: 6, firstCounted: 2))
        #expect(head.workers["a"]?.ttl == 30_000 && head.workers["a"]?.lastSeen == 1_700_000_001)
        #expect(head.workers["wörker"]?.ttl == 500 && head.workers["wörker"]?.hasEnded == true)
        #expect(
            head.layoutChanges
                == (format == 6 ? LayoutChanges() : LayoutChanges(version: 4, shapes: ["v": 4, "w": 3])))
    }

    @Test("receipts and charts of an image load with every field")
    func receipts() throws {
        let head = try ImageSource.of(GoldenTests.golden("image6.bin", of: "v4")).head().head
        let receipts = try #require(head.workers["a"]).entries.map(\.receipt)
        #expect(receipts.map(\.step) == [2, 2] && receipts.map(\.version) == [4, 5])
        #expect(receipts.map(\.learningRates) == [[0.5, nil], []])
        #expect(receipts.map(\.clippedGradientNorm) == [1, nil] && receipts.map(\.gradientNorm) == [2.5, 2.5])
        #expect(receipts.map(\.round?.state) == [.closed, .held] && receipts.map(\.round?.needed) == [nil, 2])
        #expect(receipts[0].hyperparameters?.setting == ["learning_rate": 0.25] && receipts[0].updateRatio == 0.125)
        let history = head.trainingHistory
        #expect(history.loss.points.map(\.last) == [0.5, 0.25] && history.updateRatio.points.map(\.most) == [3])
        #expect(history.rates.points.map(\.changes) == [1, 2] && history.rates.points[1].least == [0.125])
        #expect(history.pushes.count == 3 && history.workers["a"]?.count == 2)
        #expect(history.metrics["acc"]?.points.map(\.time) == [1_700_000_001])
    }

    @Test("a model starts from an image, with its values and its open round", arguments: [6, 7])
    func model(format: Int) throws {
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
        var model = try assembly.assemble(.of(GoldenTests.golden("image\(format).bin", of: "v4")))
        #expect(Self.floats(model.arena.buffer) == [1, -2, 0.5, 4])
        let buffers = model.view.head.optimizer.buffers.map(Self.floats)
        #expect(buffers == [[0.25, 0.5, 0.75, -1], [1.5, -2.5, 0.125, 8]])
        let held = try #require(model.round.held.first)
        #expect(model.round.number == 1 && held.position == 11 && held.push.key == seq(3, epoch: 1))
        #expect(held.push.basedOn == .step(2) && held.push.loss == 0.75 && held.push.examples == 32)
        #expect(held.push.metrics == [Scalar(name: "acc", value: 0.5)])
        #expect(held.push.hyperparameters?.setting == ["learning_rate": 0.25])
        #expect(held.push.gradients.isDense == [false, true] && held.push.gradients.dense.base[3] == -0.5)
        let rows = try #require(held.push.gradients.sparse[0])
        #expect(rows.indices == [2, 0] && Self.floats(rows.values) == [3, 1])
        // The second worker closes the round: w' = w - 0.25 m' with m' = 0.5 m + g. The gradient (1, 0, 3), -0.5 has
        // a norm of sqrt(10.25), and is clipped to 1; the mean halves it, because the other push is zero.
        let push = try model.makePush(["w": [0, 0, 0], "v": [0]], .sequence(worker: "b", epoch: 0, seq: 1))
        var late = push
        late.hyperparameters = held.push.hyperparameters
        _ = model.apply(.push(late), at: 12)
        let gradient = [1, 0, 3, -0.5].map { $0 / 10.25.squareRoot() / 2 }
        let expected = zip(zip([1, -2, 0.5, 4], [0.25, 0.5, 0.75, -1]), gradient).map { values, gradient in
            values.0 - 0.25 * (0.5 * values.1 + gradient)
        }
        #expect(model.optimizer.step == 3)
        for (value, expected) in zip(Self.floats(model.arena.buffer), expected) {
            #expect(abs(Double(value) - expected) < 1e-5, "\(value), not \(expected)")
        }
    }
}
