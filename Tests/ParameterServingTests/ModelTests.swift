// A model through its registry, in memory and on disk: the effects of a push, a patch and an import, and that a refused
// request changes nothing. Expected numbers are SGD by hand: w - lr * g.

import Optimizers
import SimulatedMachine
import Testing
import Threading

@testable import ParameterServing

@Suite("Model")
struct ModelTests {
    private static let sgd: SettingValue = ["optimizer": "sgd", "learning_rate": 0.5]

    @Test("a push moves the parameters, the step and the version by one", arguments: Place.allCases)
    func push(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [1, 2])])
            #expect(model.publication.current.version == 1)
            let receipt = try model.push(["w": [1, -2]])
            #expect(receipt.applied && receipt.step == 1 && receipt.version == 2 && receipt.learningRates == [0.5])
            #expect(receipt.durable == (place == .disk))
            #expect(model.values() == [0.5, 3])
            #expect(model.publication.current.step == 1)
        }
    }

    @Test("a repeated push gets the first receipt and is not applied again", arguments: Place.allCases)
    func exactlyOnce(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [0, 0])])
            for key in [seq(1), seq(1, "b")] {
                let first = try model.push(["w": [1, 1]], key)
                let before = model.digest
                var again = try model.push(["w": [1, 1]], key)
                #expect(again.replayed)
                again.replayed = false
                #expect(again == first)
                #expect(model.digest == before)
            }
            #expect(model.values() == [-1, -1])
        }
    }

    @Test("receipts of the same rates share the memory of them")
    func sharedRates() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(["optimizer": "sgd", "learning_rate": [0.5, 0.5, 0.25]], [("w", [1])])
            let rates = try (1...3).map { try model.push(["w": [1]], seq($0)).learningRates }
            let places = rates.map { $0.withUnsafeBufferPointer { $0.baseAddress } }
            #expect(rates == [[0.5], [0.5], [0.25]])
            #expect(places[0] == places[1] && places[1] != places[2])
        }
    }

    @Test("the same key with other gradients is refused", arguments: Place.allCases)
    func otherBody(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [0, 0])])
            try model.push(["w": [1, 1]], seq(1))
            try model.refuses(.pushReused(seq(1))) { try model.push(["w": [1, 2]], seq(1)) }
        }
    }

    @Test("a dense gradient and rows that hold the same bytes are different bodies")
    func denseOrSparse() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [0, 0, 0])])
            try model.push(["w": [0, 0, 5]], seq(1))
            var rows = try model.makePush([:], seq(1))
            let values = FloatBuffer(owed: 1)
            values.fill(5)
            rows.gradients.sparse[0] = SparseRows(indices: [0], values: values)
            rows.fingerprint = rows.gradients.fingerprint(in: model.layout)
            try model.refuses(.pushReused(seq(1))) { _ = try model.perform(command: .push(rows)) }
        }
    }

    @Test("of many equal pushes at once one is applied; the others are in flight or get its receipt")
    func concurrentRetries() throws {
        try Place.disk.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [0, 0])])
            let results = Collector<Result<Outcome, ServingError>>()
            let count = 50
            let done = Future<Void>()
            for _ in 0..<count {
                model.submit(command: .push(try model.makePush(["w": [1, 1]], seq(1)))) { result in
                    results.add(result)
                    if results.all.count == count { done.fulfil(()) }
                }
            }
            done.wait()
            let receipts = results.all.compactMap { result -> Receipt? in
                if case .success(let outcome) = result, case .receipt(let receipt) = outcome.answer {
                    receipt
                } else {
                    nil
                }
            }
            let refused = results.all.compactMap { if case .failure(let error) = $0 { error } else { nil } }
            #expect(receipts.count { !$0.replayed } == 1)
            #expect(receipts.allSatisfy { $0.step == 1 })
            #expect(refused.allSatisfy { $0 == .pushInFlight(seq(1)) })
            #expect(model.values() == [-0.5, -0.5])
        }
    }

    @Test("a gradient from a step that is not there yet is refused", arguments: Place.allCases)
    func basedOn(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [0, 0])])
            #expect(try model.push(["w": [1, 1]], basedOn: .step(0)).staleness == 0)
            #expect(try model.push(["w": [1, 1]], basedOn: .step(0)).staleness == 1)
            try model.refuses(.basedOnFuture(basedOn: 3, step: 2)) { try model.push(["w": [1, 1]], basedOn: .step(3)) }
        }
    }

    @Test("past the end of a rate array a push is refused, and its key stays free", arguments: Place.allCases)
    func exhausted(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(["optimizer": "sgd", "learning_rate": [0.5, 0.25]], [("w", [0, 0])])
            try model.push(["w": [1, 1]], seq(1))
            try model.push(["w": [1, 1]], seq(2))
            try model.refuses(.learningRateExhausted(group: "default", step: 2, length: 2)) {
                try model.push(["w": [1, 1]], seq(3))
            }
            try model.patch(["learning_rate": ["append": [0.125]]])
            #expect(try model.push(["w": [1, 1]], seq(3)).step == 3)
            #expect(model.values() == [-0.875, -0.875])
        }
    }

    @Test("many pushes at the end of a rate array: as many are applied as there are entries", arguments: Place.allCases)
    func exhaustedAtOnce(place: Place) throws {
        try place.withRegistry { registry in
            let rates = SettingValue.numbers(Array(repeating: 0.5, count: 10))
            let model = try registry.make(["optimizer": "sgd", "learning_rate": rates], [("w", [0])])
            let results = Collector<Bool>()
            let done = Future<Void>()
            for number in 1...40 {
                model.submit(command: .push(try model.makePush(["w": [1]], seq(number)))) { result in
                    if case .success = result { results.add(true) } else { results.add(false) }
                    if results.all.count == 40 { done.fulfil(()) }
                }
            }
            done.wait()
            #expect(results.all.count { $0 } == 10)
            #expect(model.values() == [-5])
        }
    }

    @Test("a divergence refuses pushes until values are imported", arguments: Place.allCases)
    func divergence(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(["optimizer": "sgd", "learning_rate": 1e30], [("w", [0, 0])])
            #expect(throws: ServingError.diverged(parameter: "w")) { try model.push(["w": [1e30, 1]]) }
            #expect(model.publication.current.version == 1 && model.publication.current.step == 0)
            try model.refuses(.diverged(parameter: "w")) { try model.push(["w": [0, 0]]) }
            #expect(model.publication.divergence == "w")
            try model.patch(["learning_rate": 0.25])
            #expect(model.publication.divergence == "w")
            #expect(model.values() == [0, 0])
            try model.load(["w": [3, 4]])
            #expect(model.publication.divergence == nil)
            #expect(try model.push(["w": [0, 0]]).applied)
            #expect(model.values() == [3, 4])
        }
    }

    @Test("NaN in a gradient is refused, or skipped where the model says so", arguments: Place.allCases)
    func nonFinite(place: Place) throws {
        try place.withRegistry { registry in
            let strict = try registry.make(Self.sgd, [("w", [0, 0])], name: "strict")
            #expect(throws: ServingError.self) { try strict.push(["w": [.nan, 0]]) }
            #expect(strict.publication.current.version == 1)
            let lenient = try registry.make(
                ["optimizer": "sgd", "on_nonfinite": "skip"], [("w", [0, 0])], name: "lenient")
            let receipt = try lenient.push(["w": [.nan, 0]], seq(1))
            #expect(!receipt.applied && receipt.overflow)
            #expect(try lenient.push(["w": [.nan, 0]], seq(1)).replayed)
            #expect(lenient.values() == [0, 0])
        }
    }

    @Test("a patch changes rates from the next update on; null goes back to the default", arguments: Place.allCases)
    func patch(place: Place) throws {
        try place.withRegistry { registry in
            let groups: SettingValue = .array([["name": "first", "params": .array(["w"])], ["params": .array(["v"])]])
            let model = try registry.make(
                ["optimizer": "sgd", "learning_rate": 0.5, "groups": groups], [("w", [0]), ("v", [0])])
            try model.patch(["lr": 0.25], group: "first")
            #expect(try model.push(["w": [1], "v": [1]]).learningRates == [0.25, 0.5])
            try model.patch(["groups": ["group1": ["lr": 0.125]]])
            #expect(try model.push(["w": [1], "v": [1]]).learningRates == [0.25, 0.125])
            try model.patch(["groups": ["first": ["lr": nil]]])
            #expect(try model.push(["w": [1], "v": [1]]).learningRates == [0.5, 0.125])
            #expect(model.values("w") == [-1])
            #expect(model.values("v") == [-0.75])
        }
    }

    @Test(
        "an empty patch changes nothing, a wrong one is refused, one for another version too", arguments: Place.allCases
    )
    func patchRefused(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [0])])
            #expect(try model.patch([:]).version == 1)
            #expect(try model.patch(["learning_rate": 0.25], ifVersion: [1]).version == 2)
            try model.refuses(.preconditionFailed(expected: "version 1", current: "version 2")) {
                try model.patch(["learning_rate": 0.125], ifVersion: [1])
            }
            #expect(throws: ServingError.self) { try model.patch(["learning_rate": -1]) }
            #expect(throws: ServingError.self) { try model.patch(["lr": 1], group: "unknown") }
            #expect(throws: ServingError.self) { try model.patch(["parameters": ["x": ["trainable": false]]]) }
            #expect(model.publication.current.version == 2)
        }
    }

    @Test("an import replaces the named parameters and leaves the others and the step", arguments: Place.allCases)
    func imported(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [1, 1]), ("v", [2])])
            try model.push(["w": [0, 0]])
            let version = try model.load(["v": [9]])
            #expect(version.version == 3 && version.step == 1)
            #expect(model.values("w") == [1, 1])
            #expect(model.values("v") == [9])
        }
    }

    @Test(
        "an import for other versions is refused where it is applied, not where it arrives", arguments: Place.allCases)
    func importedConditionally(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [1])])
            #expect(try model.load(["w": [2]], ifVersion: [1, 7]).version == 2)
            try model.refuses(.preconditionFailed(expected: "version 1 or version 7", current: "version 2")) {
                try model.load(["w": [3]], ifVersion: [1, 7])
            }
            #expect(model.values("w") == [2])
        }
    }

    @Test("a delete wakes waiting pulls and frees the name; the uid does not come back", arguments: Place.allCases)
    func delete(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [0])])
            let ended = Future<PullResult>()
            _ = model.publication.wait(for: PullCondition(since: 1)) { ended.fulfil($0) }
            try registry.delete("m")
            guard case .ended(.unknownModel("m", nearest: [])) = ended.wait() else {
                return #expect(Bool(false), "the pull must hear of the delete")
            }
            #expect(throws: ServingError.self) { try registry.model(named: "m") }
            #expect(throws: ServingError.self) { try registry.delete("m") }
            #expect(throws: ServingError.self) { try model.push(["w": [1]]) }
            #expect(try registry.make(Self.sgd, [("w", [0])]).uid != model.uid)
        }
    }

    @Test(
        "a create of what is there already succeeds; of something else under the name it is refused",
        arguments: Place.allCases)
    func create(place: Place) throws {
        try place.withRegistry { registry in
            let source = ModelSource.definition(.of(Self.sgd, [("w", [0, 1])]))
            let model = try registry.make(Self.sgd, [("w", [0, 1])])
            guard case .existing(let same) = try registry.create("m", source) else {
                return #expect(Bool(false), "the same definition finds the same model")
            }
            #expect(same === model)
            let other = ModelSource.definition(.of(Self.sgd, [("w", [0, 2])]))
            #expect(throws: ServingError.modelExists("m")) { try registry.create("m", other) }
            #expect(throws: ServingError.self) { try registry.create("m", source, onlyIfAbsent: true) }
        }
    }

    @Test("a replacement starts over and tells the pulls of the old one", arguments: Place.allCases)
    func replace(place: Place) throws {
        try place.withRegistry { registry in
            let old = try registry.make(Self.sgd, [("w", [0])])
            try old.push(["w": [1]], seq(1))
            let ended = Future<PullResult>()
            _ = old.publication.wait(for: PullCondition(since: 2)) { ended.fulfil($0) }
            let new = try registry.make(Self.sgd, [("w", [0])])
            guard case .ended(.modelReplaced("m")) = ended.wait() else {
                return #expect(Bool(false), "the pull must hear of the replacement")
            }
            #expect(new.uid != old.uid)
            #expect(new.publication.current.version == 1)
            #expect(throws: ServingError.modelReplaced("m")) { try old.push(["w": [1]], seq(2)) }
            #expect(try new.push(["w": [1]], seq(1)).step == 1)
        }
    }

    @Test("a thousand creations of few names: no uid comes twice", arguments: Place.allCases)
    func uids(place: Place) throws {
        try place.withRegistry { registry in
            var seen: Set<ModelUID> = []
            for number in 0..<1000 {
                let model = try registry.make(Self.sgd, [("w", [0])], name: "m\(number % 3)")
                #expect(seen.insert(model.uid).inserted)
            }
        }
    }

    @Test("after a stop, pushes and waiting pulls are told so", arguments: Place.allCases)
    func stop(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [0])])
            registry.stop()
            #expect(throws: ServingError.stopping) { try model.push(["w": [1]]) }
            #expect(registry.notReady == .stopping)
        }
    }
}

extension Model {
    /// Expects `error`, and that nothing changed.
    func refuses(_ error: ServingError, _ body: () throws -> Void) throws {
        let before = (digest, publication.current.version)
        #expect(throws: error) { try body() }
        #expect((digest, publication.current.version) == before)
    }
}
