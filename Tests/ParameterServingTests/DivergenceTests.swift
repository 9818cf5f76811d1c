// A push that would overflow a parameter or a slot, through the model: refused pushes leave the slots unchanged, and
// logs of earlier releases are replayed as before. Expected states are those of a model without that push.

import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Divergence")
struct DivergenceTests {
    private static let adam: SettingValue = ["optimizer": "adam", "learning_rate": 0.5]
    private static let momentum: SettingValue = [
        "optimizer": ["type": "momentum", "momentum": 0.5], "learning_rate": 0.5,
    ]

    @Test("a push that would overflow a slot is refused alone", arguments: Place.allCases)
    func slot(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.adam, [("w", [1, 2])])
            let reference = try registry.make(Self.adam, [("w", [1, 2])], name: "reference")
            for each in [model, reference] { for _ in 1...3 { try each.push(["w": [1, 1]]) } }
            try model.refuses(.diverged(parameter: "w", slot: "moment2")) { try model.push(["w": [3e38, 0]], seq(1)) }
            #expect(model.publication.divergence == nil)
            for each in [model, reference] { try each.push(["w": [1, 1]], seq(1)) }
            #expect(model.digest == reference.digest)
        }
    }

    @Test("an import after a divergence continues with the slots from before", arguments: Place.allCases)
    func parameter(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.momentum, [("w", [1, 2])])
            let reference = try registry.make(Self.momentum, [("w", [1, 2])], name: "reference")
            for each in [model, reference] { try each.push(["w": [1, 1]]) }
            try model.patch(["learning_rate": 3e38])
            try model.refuses(.diverged(parameter: "w")) { try model.push(["w": [100, 1]]) }
            try model.patch(["learning_rate": 0.5])
            for each in [model, reference] {
                try each.load(["w": [5, 6]])
                try each.push(["w": [1, 1]])
            }
            #expect(model.digest == reference.digest)
        }
    }

    @Test("a refused push is refused again by a restart, which continues with the same slots")
    func restart() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        let model = try registry.make(Self.adam, [("w", [1, 2])])
        try model.push(["w": [1, 1]])
        #expect(throws: ServingError.self) { try model.push(["w": [0, -3e38]]) }
        try model.push(["w": [2, 2]])
        let (digest, step) = (model.digest, model.publication.current.step)
        registry.shutDown()
        registry = try directory.open()
        let again = try registry.model(named: "m")
        #expect(again.digest == digest && again.publication.current.step == step)
        registry.shutDown()
    }

    @Test("a log of the first releases, whose pushes looked at parameters alone, gives the same result as then")
    func firstReleases() throws {
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
        func state(_ settings: SettingValue) throws -> ModelState {
            try assembly.assemble("m", ModelUID(number: 1), .definition(.of(settings, [("w", [1, 2])])))
        }
        var model = try state(Self.adam)
        model.replay(.push(try model.makePush(["w": [3e38, 1]])))
        #expect(model.optimizer.step == 1)
        var spoiled = try state(Self.momentum)
        spoiled.replay(.push(try spoiled.makePush(["w": [1, 1]])))
        spoiled.replay(.reconfigure(SettingsPatch(group: nil, patch: ["learning_rate": 3e38]), ifVersion: nil))
        spoiled.replay(.push(try spoiled.makePush(["w": [100, 1]])))
        spoiled.replay(.reconfigure(SettingsPatch(group: nil, patch: ["learning_rate": 0.5]), ifVersion: nil))
        let image = spoiled.view.ofEarlierRelease
        let head = try ImageSource.of(image.bytes).head().head
        #expect(image.bytes[8] == 2 && head.divergence == "w" && head.areSlotsSpoiled)
        let zeros = try spoiled.makePush(["w": [0, 0]])
        spoiled.replay(.importValues(zeros.arena, present: zeros.gradients.isDense))
        spoiled.replay(.push(try spoiled.makePush(["w": [1, 1]])))
        // Slots start from zero: 0 - 0.5 * 1.
        #expect(Array(spoiled.published.values(at: 0)) == [-0.5, -0.5])
    }

    @Test("an image tells whether a divergence has spoiled the slots")
    func image() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(Self.momentum, [("w", [1, 2])])
            try model.push(["w": [1, 1]])
            try model.patch(["learning_rate": 3e38])
            try model.refuses(.diverged(parameter: "w")) { try model.push(["w": [100, 1]]) }
            let head = try ImageSource.of(model.image().bytes).head().head
            #expect(head.divergence == "w" && !head.areSlotsSpoiled)
        }
    }
}

extension ModelState {
    /// Applies a command as a record holds it; records of the first releases have no moment.
    fileprivate mutating func replay(_ command: Command) { _ = apply(command, at: position) }
}
