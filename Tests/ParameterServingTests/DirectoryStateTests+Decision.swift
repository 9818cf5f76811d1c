// The decisions of a directory about creations and deletions, as a table, and its notes about them until they are
// applied or forgotten. The expected answers are those that the documentation of the API promises.

import Names
import Optimizers
import Testing

@testable import ParameterServing
@testable import Threading

/// What a creation finds under its name: no model, a model, or a model that is not served.
private enum Found: CaseIterable {
    /// The definition of that model: the same as requested, with another rate, or with another parameter.
    case none, same, other, shapes, unavailable
}

extension DirectoryStateTests {
    private static let uid = ModelUID(number: 7)
    private static let definition = source(rate: 0.5, "w")

    private static func source(rate: Double, _ parameter: Name) -> ModelSource {
        .definition(.of(["optimizer": "sgd", "learning_rate": .number(rate)], [(parameter, [1, 2])]))
    }

    private static func served(as source: ModelSource, version: Int = 3) throws -> Holder {
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
        let state = try assembly.assemble("m", uid, source)
        return .served(uid, version: version, layout: state.layout, fingerprint: state.fingerprint)
    }

    private static func holder(_ found: Found) throws -> Holder? {
        switch found {
        case .none: nil
        case .same: try served(as: definition)
        case .other: try served(as: source(rate: 0.25, "w"))
        case .shapes: try served(as: source(rate: 0.5, "v"))
        case .unavailable: .unavailable(UnavailableModel(name: "m", uid: uid, reason: .leftOut))
        }
    }

    /// A directory whose model is number 7, called m.
    private static func directory(of holder: Holder?, keys: KeyLedger = KeyLedger()) -> DirectoryState {
        var state = DirectoryState(uids: UIDSource(seed: 0, count: 7), keys: keys)
        if let holder { state.add(holder.uid, name: "m", position: 1) }
        return state
    }

    private static func ledger(lifetime: Int = 100) -> KeyLedger {
        var configuration = ServingConfiguration(memoryLimit: 1 << 20)
        configuration.keyLifetime = .seconds(lifetime)
        return KeyLedger(configuration)
    }

    private static func key(_ body: UInt64 = 1, time: Int = 0) -> RequestKey {
        RequestKey(text: "k", target: nil, body: Fingerprint(high: body, low: 0), time: time)
    }

    private static func creation(
        _ name: Name = "m", key: RequestKey? = nil, _ change: (inout Creation) -> Void = { _ in }
    ) -> Creation {
        var creation = Creation(name: name, source: definition, key: key)
        change(&creation)
        return creation
    }

    /// The verdict, or the name of the refusal.
    private static func told(_ body: () throws -> String) -> String {
        do { return try body() } catch { return "\("\(error)".prefix { $0 != "(" })" }
    }

    private static func decide(
        _ creation: Creation, on holder: Holder?, in state: inout DirectoryState, mostModels: Int = 10,
        closed: ServingError? = nil
    ) -> String {
        told {
            "\(try state.decide(creation, on: holder, .builtin, mostModels: mostModels, closed: closed))"
        }
    }

    // MARK: Conditions

    /// A request, and its expected verdict for each thing that it may find.
    private static let table: [(what: String, change: @Sendable (inout Creation) -> Void, answers: String)] = [
        ("plain", { _ in }, "create keep modelExists modelExists modelUnavailable"),
        ("replace", { $0.replacing = true }, "create create create create create"),
        (
            "if-absent", { $0.onlyIfAbsent = true },
            "create preconditionFailed preconditionFailed preconditionFailed modelUnavailable"
        ),
        (
            "replace, if-absent", { ($0.replacing, $0.onlyIfAbsent) = (true, true) },
            "create preconditionFailed preconditionFailed preconditionFailed modelUnavailable"
        ),
        ("join", { $0.joining = true }, "create keep keep modelDiffers modelUnavailable"),
        (
            "if-match *", { $0.condition = ModelCondition(uid: uid) },
            "preconditionFailed keep modelExists modelExists modelUnavailable"
        ),
        (
            "if-match another creation", { $0.condition = ModelCondition(uid: ModelUID(number: 6), versions: [3]) },
            "preconditionFailed modelReplaced modelReplaced modelReplaced modelReplaced"
        ),
        (
            "if-match another version", { $0.condition = ModelCondition(uid: uid, versions: [2, 4]) },
            "preconditionFailed preconditionFailed preconditionFailed preconditionFailed modelUnavailable"
        ),
        (
            "replace, if-match *", { ($0.replacing, $0.condition) = (true, ModelCondition(uid: uid)) },
            "preconditionFailed create create create create"
        ),
        (
            "replace, if-match a version",
            { ($0.replacing, $0.condition) = (true, ModelCondition(uid: uid, versions: [3, 4])) },
            "preconditionFailed create create create modelUnavailable"
        ),
    ]

    @Test("a creation gets the answer that its conditions demand, whatever it finds", arguments: table.indices)
    func conditions(row: Int) throws {
        let (what, change, answers) = Self.table[row]
        for (found, expected) in zip(Found.allCases, answers.split(separator: " ")) {
            let holder = try Self.holder(found)
            var state = Self.directory(of: holder)
            let told = Self.decide(Self.creation("m", change), on: holder, in: &state)
            #expect(
                told == (expected == "create" ? "create(00000008, count: 8)" : String(expected)), "\(what): \(found)")
            #expect(state.underWay.keys.contains("m") == (expected == "create"))
            #expect(state.models.count == (holder == nil ? 0 : 1), "nothing changes before it is logged")
        }
    }

    @Test("a deletion gets the answer that its conditions demand, whatever it finds")
    func deletions() throws {
        let table: [(condition: ModelCondition?, answers: String)] = [
            (nil, "unknownModel 00000007 00000007"),
            (ModelCondition(uid: Self.uid), "unknownModel 00000007 00000007"),
            (ModelCondition(uid: ModelUID(number: 6)), "unknownModel modelReplaced modelReplaced"),
            (ModelCondition(uid: Self.uid, versions: [3]), "unknownModel 00000007 modelUnavailable"),
            (ModelCondition(uid: Self.uid, versions: [4]), "unknownModel preconditionFailed modelUnavailable"),
        ]
        for (condition, answers) in table {
            for (found, expected) in zip([Found.none, .same, .unavailable], answers.split(separator: " ")) {
                let holder = try Self.holder(found)
                var state = Self.directory(of: holder)
                let deletion = Deletion(name: "m", condition: condition)
                let told = Self.told { "\(try state.decide(deletion, on: holder, closed: nil) as Any)" }
                #expect(told == (expected.hasPrefix("0") ? "Optional(\(expected))" : String(expected)))
            }
        }
    }

    @Test("a mistake in the request is reported before a conflict over the name, and a stop of the daemon before both")
    func order() throws {
        var state = Self.directory(of: nil)
        let wrong = Self.creation { $0.source = .definition(.of(["optimizer": "sgd"], [("a#b", [1])])) }
        #expect(Self.decide(wrong, on: nil, in: &state) == "invalid")
        #expect(Self.decide(wrong, on: nil, in: &state, closed: .stopping) == "stopping")
        let holder = try Self.holder(.same)
        state = Self.directory(of: holder)
        let nonsense = Self.creation { $0.source = .definition(.of(["optimizer": "nonsense"], [("w", [1])])) }
        #expect(Self.decide(nonsense, on: holder, in: &state) == "invalid")
        let deletion = Deletion(name: "m")
        #expect(throws: ServingError.stopping) { try state.decide(deletion, on: holder, closed: .stopping) }
    }

    // MARK: In progress

    @Test("models and creations in progress that add one count toward the limit")
    func limit() throws {
        let holder = try Self.holder(.same)
        var state = Self.directory(of: holder)
        let replacing = Self.creation { $0.replacing = true }
        #expect(Self.decide(Self.creation("a"), on: nil, in: &state, mostModels: 2) == "create(00000008, count: 8)")
        #expect(Self.decide(Self.creation("b"), on: nil, in: &state, mostModels: 2) == "tooManyModels")
        #expect(Self.decide(replacing, on: holder, in: &state, mostModels: 2) == "create(00000009, count: 9)")
        #expect(Self.decide(Self.creation("b"), on: nil, in: &state, mostModels: 3) == "create(0000000a, count: 10)")
        // The model that is being replaced is deleted meanwhile, so its successor adds a model to the count.
        state.forget(Self.creation("b"))
        #expect(state.apply(.delete(Self.uid, key: nil), at: 2) == .retire(Self.uid))
        #expect(Self.decide(Self.creation("b"), on: nil, in: &state, mostModels: 2) == "tooManyModels")
        state.forget(Self.creation("a"))
        #expect(Self.decide(Self.creation("b"), on: nil, in: &state, mostModels: 2) == "create(0000000b, count: 11)")
    }

    @Test("a name is given to one model at a time, and a key to one request")
    func underWay() throws {
        var state = Self.directory(of: nil, keys: Self.ledger())
        let first = Self.creation(key: Self.key())
        #expect(Self.decide(first, on: nil, in: &state) == "create(00000008, count: 8)")
        #expect(Self.decide(first, on: nil, in: &state) == "inFlight")
        #expect(Self.decide(Self.creation(key: Self.key(2)), on: nil, in: &state) == "keyReused")
        #expect(Self.decide(Self.creation(), on: nil, in: &state) == "wait")
        state.forget(first)
        #expect(Self.decide(first, on: nil, in: &state) == "create(00000009, count: 9)")
        let uid = ModelUID(number: 9)
        let head = RecordHead.create(uid, name: "m", count: 9)
        #expect(state.apply(head, under: first.key, step: 4, at: 1) == .create(uid, retiring: []))
        let later = Self.creation(key: Self.key(time: 100))
        #expect(Self.decide(later, on: nil, in: &state) == "repeated(00000009, step: 4)")
        #expect(Self.decide(later, on: nil, in: &state, closed: .stopping) == "repeated(00000009, step: 4)")
        let tooLate = Self.creation("n", key: Self.key(time: 101))
        #expect(Self.decide(tooLate, on: nil, in: &state) == "create(0000000a, count: 10)")
    }

    @Test("a deletion under a key is carried out once")
    func deletionKey() throws {
        let holder = try Self.holder(.same)
        var state = Self.directory(of: holder, keys: Self.ledger())
        let deletion = Deletion(name: "m", key: Self.key())
        #expect(try state.decide(deletion, on: holder, closed: nil) == Self.uid)
        #expect(throws: ServingError.inFlight(key: "k")) { try state.decide(deletion, on: holder, closed: nil) }
        state.forget(deletion)
        #expect(try state.decide(deletion, on: holder, closed: nil) == Self.uid)
        #expect(state.apply(.delete(Self.uid, key: deletion.key), at: 2) == .retire(Self.uid))
        #expect(try state.decide(deletion, on: nil, closed: .stopping) == nil)
        #expect(Self.decide(Self.creation(key: Self.key()), on: nil, in: &state) == "keyReused")
    }

    // MARK: Invariants

    @Test("a creation that is read again as a different one breaks a numbered invariant")
    func broken() {
        let (first, second) = (ModelUID(number: 8), ModelUID(number: 9))
        let histories: [(belief: Character, heads: [(RecordHead, UInt64)])] = [
            ("4", [(.create(first, name: "m", count: 8), 1), (.create(first, name: "n", count: 8), 2)]),
            ("4", [(.create(second, name: "m", count: 9), 1), (.create(first, name: "n", count: 8), 2)]),
            ("4", [(.create(second, name: "m", count: 8), 1)]),
            ("5", [(.create(first, name: "m", count: 8), 2), (.create(second, name: "n", count: 9), 2)]),
        ]
        for (belief, heads) in histories {
            let broken = Invariants()
            Invariants.$collected.withValue(broken) {
                var state = DirectoryState(uids: UIDSource(seed: 0, count: 7))
                for (head, position) in heads { _ = state.apply(head, at: position) }
                #expect(broken.violations.first?.belief.first == belief)
            }
        }
        let forgotten = Invariants()
        Invariants.$collected.withValue(forgotten) {
            var state = DirectoryState()
            state.forget(Self.creation())
        }
        #expect(forgotten.violations.first?.belief.first == "6")
    }
}
