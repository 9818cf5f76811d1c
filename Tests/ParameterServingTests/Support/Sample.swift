// One small example of each binary form, the same in every run: for round trips, for cuts, and as the golden files.

import Names
import Optimizers

@testable import Journal
@testable import ParameterServing

/// The examples.
enum Sample {
    /// Every binary form that this module writes to disk.
    enum Form: String, CaseIterable, Sendable {
        case definition, image, push, importValues, importIfVersion, reconfigure, register, restore, create,
            createFromImage, salvage, imageWithLeases, registerCounted, endLeases, growth, restoreOfLayout,
            patchOfLayout, createWithRound

        /// The forms that have a golden file of their own.
        static let golden = allCases.filter {
            $0 != .imageWithLeases && $0 != .createWithRound && !$0.changesLayout
        }

        /// Whether it is a record that changes the layout of the model.
        var changesLayout: Bool { [.growth, .restoreOfLayout, .patchOfLayout].contains(self) }

        /// Whether the first release had the form.
        var isOfVersion1: Bool { ![.registerCounted, .endLeases].contains(self) && !changesLayout }
    }

    static let settings: SettingValue = [
        "optimizer": ["type": "momentum", "momentum": 0.5], "learning_rate": [0.5, 0.25, 0.125, 0.0625],
        "loss_scaling": ["type": "dynamic", "init_loss_scale": 4],
    ]
    static let parameters: [(Name, [Float])] = [("w", [1, -2, 0.5]), ("v", [4])]
    static let definition = ModelDefinition.of(settings, parameters)

    static var ledger: WorkerLedger {
        var ledger = WorkerLedger(window: 2)
        for number in 1...3 {
            ledger.finish(seq(number, "wörker"), Fingerprint(high: 1, low: UInt64(number)), receipt(number))
        }
        _ = ledger.register("second")
        return ledger
    }

    private static func receipt(_ step: Int) -> Receipt {
        Receipt(
            applied: step != 2, step: step, version: step + 1, learningRates: [0.5, nil], staleness: 3,
            gradientNorm: 0.1, updateRatio: step == 1 ? nil : 1e-3, overflow: step == 2, nextLossScale: 1024, gap: 1)
    }

    /// A model of the sample definition after two pushes, with fixed numbers in place of the random ones of a registry.
    static func model() throws -> ModelState {
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
        var model = try assembly.assemble("sample", ModelUID(number: 0xCAFE_F00D), .definition(definition))
        model.begin(at: 1)
        for number in 1...2 {
            let push = try model.makePush(["w": [4, 8, -4], "v": [Float(number)]], seq(number), basedOn: .step(0))
            _ = model.apply(.push(push), at: UInt64(number) + 1)
        }
        return model
    }

    static let salvage = SalvageRecord(
        versions: 1000, uids: UIDSource(seed: 0xCAFE_F00D, count: 17), firstTrustedSnapshot: 5)

    /// Two parameters, one with values, and three rows.
    static let growth = Growth(
        added: ModelDefinition.of(settings, [("x", [7, 8])]).parameters + [
            InitialParameter(
                definition: ParameterDefinition(name: "ünit", shape: .scalar, isTrainable: false, wireType: .int8),
                value: .initializer("ones"))
        ], group: "default", rows: [Growth.Rows("w", count: 3, initial: ["type": "normal", "seed": 5])])

    static func image() throws -> ModelImage { try model().view }

    /// The model of `model` in mode `manual`, as a file with one dense push and one of rows.
    static func sourceWithRound() throws -> ModelSource {
        let model = try model()
        var (first, second) = (
            try model.makePush(["w": [1, 2, 3]], seq(3, epoch: 1), basedOn: .step(1)), try model.makePush(["v": [4]])
        )
        first.fingerprint = Fingerprint(high: 0x1111, low: 0x2222)
        second.fingerprint = Fingerprint(high: 0x3333, low: 0x4444)
        second.gradients.isDense = [false, false]
        let rows = FloatBuffer(owed: 2)
        rows.fill(0.5)
        second.gradients.sparse[1] = SparseRows(indices: [0, 0], values: rows)
        second.examples = 32
        let key = RequestKey(
            text: "kéy", target: Fingerprint(high: 1, low: 2), body: Fingerprint(high: 3, low: 4), time: 1_700_000_000)
        var round = RoundImage()
        for (command, gap) in [(Command.push(first), 2), (Command.push(second).under(key), 0)] {
            round.held.append(
                RoundImage.Held(
                    position: 0, gap: gap, staleness: 1, isFromLeftBranch: false,
                    record: command.record(of: model.facts.uid, in: model.layout).payload))
        }
        var definition = definition
        definition.settings = definition.settings.setting("consistency", to: ["mode": "manual"])
        return .state(definition, model.view.head.optimizer, round)
    }

    /// A model with a leased worker, one whose lease has ended, one without a lease, and one that was deleted.
    static func modelWithLeases() throws -> ModelState {
        var model = try model()
        let registrations = [("wörker", 30_000), ("ended", 500), ("plain", nil), ("gone", nil)] as [(Name, Int?)]
        for (index, registration) in registrations.enumerated() {
            let command = Command.register(worker: registration.0, ttl: registration.1)
            _ = model.apply(command, at: UInt64(index) + 4)
        }
        _ = model.apply(.endLeases([EndedLease(worker: "ended", epoch: 2)]), at: 8)
        _ = model.apply(.dismiss(worker: "gone"), at: 9)
        return model
    }

    /// A definition with a trained parameter, an untrained parameter, and a parameter of every integer type.
    static var integers: ModelDefinition {
        let values = ModelDefinition.of(
            ["optimizer": ["type": "momentum", "momentum": 0.5], "learning_rate": 0.5],
            [
                ("w", [1, -2, 0.5]), ("mean", [4]), ("i8", [-128]), ("i16", [-32768]), ("i32", [16_777_216]),
                ("i64", [7]), ("u8", [255]), ("bool", [1]),
            ])
        var definition = values
        for index in definition.parameters.indices.dropFirst() {
            definition.parameters[index].definition.isTrainable = false
        }
        for (index, type) in zip(2..., WireType.allCases) { definition.parameters[index].definition.wireType = type }
        return definition
    }

    /// An image of a model of `integers` after a push under a request's key.
    static func imageOfIntegers() throws -> ModelImage {
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
        var model = try assembly.assemble("integers", ModelUID(number: 0xCAFE_F00D), .definition(integers))
        model.begin(at: 1)
        let key = RequestKey(
            text: "kéy", target: Fingerprint(high: 1, low: 2), body: Fingerprint(high: 3, low: 4), time: 1_700_000_000)
        let push = try model.makePush(["w": [4, 8, -4]], basedOn: .step(0))
        _ = model.apply(.keyed(key, ifVersion: nil, .push(push)), at: 2)
        return model.view
    }
}

extension ModelImage {
    /// The image as releases before format 6 would have it: without charts and events.
    var ofEarlierRelease: ModelImage {
        var image = self
        (image.head.trainingHistory, image.head.eventCount) = (TrainingHistory(), 0)
        return image
    }

    /// The head in its binary form.
    var headBytes: [UInt8] {
        var bytes: [UInt8] = []
        head.write { bytes += $0 }
        return bytes
    }

    var bytes: [UInt8] { headBytes + values.flatMap { Array(UnsafeRawBufferPointer($0[0..<$0.count])) } }
}

extension ImageSource {
    /// A source that owns its bytes.
    static func of(_ bytes: [UInt8]) -> ImageSource {
        ImageSource(bytes.count) { target, offset throws(JournalError) in
            guard offset >= 0, target.count <= bytes.count - offset else {
                throw .corrupted(file: "bytes in memory", offset: offset, reason: "it ends too early")
            }
            target.copyBytes(from: bytes[offset..<offset + target.count])
        }
    }
}

extension Sample.Form {
    /// The bytes of the form, written by the code under test.
    func bytes() throws -> [UInt8] {
        let model = try Sample.model()
        switch self {
        case .definition:
            var head = ByteWriter()
            let values = Sample.definition.encoded(into: &head)
            return head.bytes + values.flatMap { Array(UnsafeRawBufferPointer($0.values)) }
        case .image: return model.view.bytes
        case .imageWithLeases: return try Sample.modelWithLeases().view.bytes
        case .create: return record(ModelSource.definition(Sample.definition).record(of: model, count: 5))
        case .createFromImage:
            return record(ModelSource.state(Sample.definition, model.view.head.optimizer).record(of: model, count: 6))
        case .createWithRound: return record(try Sample.sourceWithRound().record(of: model, count: 7))
        case .salvage: return record(Sample.salvage.record)
        case .push, .importValues, .importIfVersion, .reconfigure, .register, .registerCounted, .endLeases, .restore,
            .growth, .restoreOfLayout, .patchOfLayout:
            return record(try command(model).record(of: model.facts.uid, in: model.layout))
        }
    }

    private func command(_ model: ModelState) throws -> Command {
        switch self {
        case .push: return .push(try push(model))
        case .importValues, .importIfVersion:
            let push = try model.makePush(["v": [7]])
            let ifVersion = self == .importIfVersion ? [3, 5] : nil
            return .importValues(push.arena, present: push.gradients.isDense, ifVersion: ifVersion)
        case .reconfigure:
            return .reconfigure(SettingsPatch(group: "default", patch: ["lr": 0.25]), ifVersion: [3])
        case .restore:
            var restoration = Restoration(model.view)
            restoration.version = nil
            return .restore(restoration)
        case .restoreOfLayout:
            var grown = try Sample.model()
            _ = grown.apply(.grow(Sample.growth, ifVersion: nil), at: 4)
            var restoration = Restoration(grown.view)
            restoration.version = nil
            return .restore(restoration)
        case .patchOfLayout:
            return .reconfigure(SettingsPatch(patch: ["parameters": ["w": ["trainable": false]]]), ifVersion: nil)
        case .growth: return .grow(Sample.growth, ifVersion: [3])
        case .registerCounted: return .register(worker: "wörker", ttl: 30_000)
        case .endLeases:
            return .endLeases([EndedLease(worker: "a", epoch: 3), EndedLease(worker: "wörker", epoch: 1)])
        default: return .registerUncounted("wörker")
        }
    }

    /// A push with one dense parameter, one by rows, and every optional field.
    private func push(_ model: ModelState) throws -> Push {
        var push = try model.makePush(["w": [1, 2, 3]], seq(3, epoch: 0), basedOn: .step(1))
        let rows = FloatBuffer(owed: 2)
        rows.fill(0.5)
        push.gradients.sparse[1] = SparseRows(indices: [0, 0], values: rows)
        // The fingerprint that the first release computed; a stored fingerprint is only compared.
        push.fingerprint = Fingerprint(high: 0x8995_FC16_0485_37E8, low: 0x2D78_F83C_B31D_F150)
        push.loss = 0.25
        return push
    }

    private func record(_ record: Record) -> [UInt8] {
        record.payload.flatMap { Array($0.content) }
    }

    /// Reads a form to its end, as recovery and an upload would.
    ///
    /// - Parameter model: the model of a command; nil for a new one.
    func read(_ bytes: [UInt8], in model: ModelState? = nil) throws {
        if self == .image || self == .imageWithLeases { return try readImage(bytes) }
        try bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            switch self {
            case .definition: _ = try ModelDefinition(reading: &reader)
            case .create: _ = try CreationRecord(.create, reading: &reader)
            case .createFromImage: _ = try CreationRecord(.createFromImage, reading: &reader)
            case .createWithRound: _ = try CreationRecord(.createWithRound, reading: &reader)
            case .salvage: _ = try SalvageRecord(reading: &reader)
            default:
                let model = try model ?? Sample.model()
                _ = try Command(kind, reading: &reader, layout: model.layout, pool: model.pool)
            }
        }
    }

    private func readImage(_ bytes: [UInt8]) throws {
        let source = ImageSource.of(bytes)
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
        _ = try assembly.assemble(source)
        _ = try ModelSource(
            image: Array(bytes[8..<source.head().floats]),
            tensors: [
                "w": ([3], Sample.floats(3)), "v": ([1], Sample.floats(1)), "w#moments": ([3], Sample.floats(3)),
                "v#moments": ([1], Sample.floats(1)),
            ], catalogue: .builtin)
    }

    var kind: CommandKind {
        switch self {
        case .push: .push
        case .importValues: .importValues
        case .importIfVersion: .importIfVersion
        case .reconfigure: .reconfigure
        case .restore: .restore
        case .createFromImage: .createFromImage
        case .createWithRound: .createWithRound
        case .create, .definition, .image, .imageWithLeases: .create
        case .register: .register
        case .registerCounted: .registerCounted
        case .endLeases: .endLeases
        case .salvage: .salvage
        case .growth, .restoreOfLayout, .patchOfLayout: .layout
        }
    }
}

extension Sample {
    static func floats(_ count: Int) -> Floats { Floats(FloatBuffer(owed: count)) }
}

/// Reads a value from bytes.
func parse<Value>(_ bytes: [UInt8], _ body: (inout ByteReader) throws(FormatError) -> Value) throws -> Value {
    try bytes.withUnsafeBytes { bytes in
        var reader = ByteReader(bytes)
        return try body(&reader)
    }
}

/// A definition in its binary form.
func bytes(of definition: ModelDefinition) -> [UInt8] {
    var head = ByteWriter()
    let values = definition.encoded(into: &head)
    return head.bytes + values.flatMap { Array(UnsafeRawBufferPointer($0.values)) }
}
