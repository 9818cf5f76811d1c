// Blocking calls over the module's callbacks, for tests only.

import Names
import Optimizers
import Threading

@testable import ParameterServing

/// A list that several threads add to.
final class Collector<Element: Sendable>: Sendable {
    private let elements = Locked<[Element]>([])

    func add(_ element: Element) { elements.withLock { $0.append(element) } }

    var all: [Element] { elements.withLock { $0 } }
}

extension ModelRegistry {
    func create(
        _ name: String, _ source: ModelSource, replacing: Bool = false, onlyIfAbsent: Bool = false
    ) throws(ServingError) -> Created {
        let answer = Future<Result<Created, ServingError>>()
        create(name, source, replacing: replacing, onlyIfAbsent: onlyIfAbsent) { answer.fulfil($0) }
        return try answer.wait().get()
    }

    /// Creates a model that must be new.
    @discardableResult
    func make(_ settings: SettingValue, _ values: [(Name, [Float])], name: String = "m") throws -> Model {
        guard case .new(let model) = try create(name, .definition(.of(settings, values)), replacing: true) else {
            throw ServingError.modelExists(name)
        }
        return model
    }

    func delete(_ name: String) throws(ServingError) {
        let answer = Future<Result<Answered<Removal>, ServingError>>()
        delete(name) { answer.fulfil($0) }
        _ = try answer.wait().get()
    }

    /// Ends like the daemon does after its last answer.
    func shutDown() {
        stop()
        close()
    }
}

extension Model {
    func perform(command: Command) throws(ServingError) -> Outcome {
        let answer = Future<Result<Outcome, ServingError>>()
        submit(command: command) { answer.fulfil($0) }
        return try answer.wait().get()
    }

    @discardableResult
    func push(
        _ gradients: [Name: [Float]], _ key: PushKey? = nil, basedOn: Basis? = nil,
        bringing setting: SettingValue? = nil
    ) throws -> Receipt {
        var push = try makePush(gradients, key, basedOn: basedOn)
        push.hyperparameters = setting.map(Hyperparameters.init)
        push.fingerprint = push.fingerprint.with(push.hyperparameters)
        return try perform(Change.push(push))
    }

    /// The result of `body`, which runs between two commands.
    func inspected<Found: Sendable>(_ body: @escaping @Sendable (ModelState) -> Found) -> Found {
        let found = Future<Found>()
        inspect { state in found.fulfil(body(state)) }
        return found.wait()
    }

    /// Applies a change, or returns the answer to an earlier request.
    func perform<Answer>(_ change: Change<Answer>) throws(ServingError) -> Answer {
        let answer = Future<Result<Answered<Answer>, ServingError>>()
        submit(change) { answer.fulfil($0) }
        return try answer.wait().get().answer
    }
}

/// A target for pushes.
protocol PushTarget {
    var layout: ArenaLayout { get }
    func takeArena() throws(ServingError) -> Arena
}

extension Model: PushTarget {
    func takeArena() throws(ServingError) -> Arena { try publication.current.facts.takeArena() }
}

extension ModelState: PushTarget {
    func takeArena() throws(ServingError) -> Arena { try pool.takeGrowing() }
}

extension PushTarget {

    /// The push in the form in which a network thread passes it on.
    func makePush(_ values: [Name: [Float]], _ key: PushKey? = nil, basedOn: Basis? = nil) throws -> Push {
        let arena = try takeArena()
        try arena.payInFull()
        var gradients = Gradients(dense: arena.buffer, parameterCount: layout.parameters.count)
        for (name, numbers) in values {
            guard let index = layout.index(of: name) else { throw ServingError.unknownModel(name.text, nearest: []) }
            _ = arena.buffer[layout.parameters[index].range].update(fromContentsOf: numbers)
            gradients.isDense[index] = true
        }
        let bad = gradients.firstNonFinite(in: layout)
        gradients.isFinite = bad == nil
        return Push(
            gradients: gradients, arena: arena, key: key, fingerprint: gradients.fingerprint(in: layout),
            basedOn: basedOn,
            nonFinite: bad.map { Complaint(pointer: "/gradients/\($0)", exception: .valueError, detail: "NaN") })
    }
}

extension Model {
    /// Imports values.
    @discardableResult
    func load(_ values: [Name: [Float]], ifVersion: [Int]? = nil) throws -> ChangedVersion {
        let push = try makePush(values)
        return try perform(Change.importValues(push.arena, present: push.gradients.isDense, ifVersion: ifVersion))
    }

    @discardableResult
    func patch(_ patch: SettingValue, group: Name? = nil, ifVersion: [Int]? = nil) throws -> ChangedVersion {
        try perform(Change.reconfigure(SettingsPatch(group: group, patch: patch), ifVersion: ifVersion))
    }

    /// Adds parameters and rows.
    @discardableResult
    func grow(_ growth: Growth, ifVersion: [Int]? = nil) throws -> ChangedVersion {
        try perform(Change.grow(growth, ifVersion: ifVersion))
    }

    func register(_ worker: Name) throws -> Int {
        try perform(Change.register(worker: worker)).epoch
    }

    /// The values of a parameter in the newest version.
    func values(_ name: Name = "w") -> [Float] {
        let version = publication.current
        return layout.index(of: name).map { Array(version.values(at: $0)) } ?? []
    }

    /// The whole state between two commands, to keep.
    func image() throws -> ModelImage {
        try inspected { state in Result { () throws(ServingError) in try state.image() } }.get()
    }

    /// Equal for states that are equal to the bit.
    var digest: String { (try? image())?.digest.description ?? "no memory" }
}

extension ModelDefinition {
    /// Parameters as vectors with their initial values.
    static func of(_ settings: SettingValue, _ values: [(Name, [Float])]) -> ModelDefinition {
        ModelDefinition(
            settings: settings,
            parameters: values.compactMap { name, numbers in
                let buffer = FloatBuffer(owed: numbers.count)
                _ = buffer[0..<numbers.count].update(fromContentsOf: numbers)
                return Shape([numbers.count]).map {
                    InitialParameter(
                        definition: ParameterDefinition(name: name, shape: $0, isTrainable: true),
                        value: .values(Floats(buffer)))
                }
            })
    }
}

/// The key of a worker's push.
func seq(_ seq: Int, _ worker: Name = "a", epoch: Int = 0) -> PushKey {
    .sequence(worker: worker, epoch: epoch, seq: seq)
}
