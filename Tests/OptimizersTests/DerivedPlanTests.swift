// The plan of an update with its own hyperparameters, which is derived once for consecutive pushes with the same values.

import Names
import Testing

@testable import Optimizers

@Suite("Plans derived for pushes")
struct DerivedPlanTests {
    private static func rules(_ model: Replay, _ brought: String) throws -> [Rule] {
        try model.optimizer.varied(by: .of(brought)).rules
    }

    private static func areSame(_ one: [Rule], _ other: [Rule]) -> Bool {
        one.count == other.count && zip(one, other).allSatisfy { $0 === $1 }
    }

    @Test("the same hyperparameters are derived once, and others, or those of another definition, again")
    func once() throws {
        let model = try Replay(#"{"optimizer":{"type":"Adam","framework":"torch"},"learning_rate":1}"#, ["w": [8]])
        let (one, other) = (#"{"betas":[0.5,0.75],"eps":1}"#, #"{"betas":[0.5,0.5],"eps":1}"#)
        let first = try Self.rules(model, one)
        #expect(Self.areSame(try Self.rules(model, #"{"eps":1.0,"betas":[0.5,0.75]}"#), first))
        try model.push(["w": [1]], bringing: one)
        #expect(Self.areSame(try Self.rules(model, one), first))
        let second = try Self.rules(model, other)
        #expect(!Self.areSame(second, first))
        #expect(!Self.areSame(try Self.rules(model, one), first))
        model.optimizer = try model.optimizer.reconfigured(with: model.optimizer.definition)
        let again = try Self.rules(model, one)
        #expect(!Self.areSame(again, first) && !Self.areSame(again, second))
    }
}
