// Updates of modest numbers keep no copy of the slots. So their results must stay finite whatever the numbers are, and
// the most widely used rules must have such updates.

import Names
import Testing

@testable import Optimizers

@Suite("Modest updates")
struct ModestyTests {
    /// The definitions whose arithmetic is bounded; those of `EveryRule` that are not here keep copies.
    static let bounded = EveryRule.definitions.filter { (try? EveryRule.model($0).optimizer.modestRoots) ?? nil != nil }

    @Test("the rules in wide use are bounded, and one update finds that its numbers are modest")
    func areFound() throws {
        let names: Set<String> = ["SGD", "Momentum", "Adam", "AdamWeightDecay", "AdamW", "RMSProp", "RMSprop"]
        let found = try Self.bounded.map { try SettingJSON.read($0)["type"]?.stringValue ?? "" }
        #expect(names.isSubset(of: found))
        for definition in Self.bounded {
            let model = try EveryRule.model(definition)
            #expect(try model.push(model.noise(step: 0)).areModest)
        }
    }

    @Test("weights, slots and gradients at the ends of what is modest give finite numbers", arguments: bounded)
    func ends(_ definition: String) throws {
        for seed in 0..<40 {
            let model = try EveryRule.model(definition)
            model.optimizer = try model.optimizer.reconfigured(
                with: model.optimizer.definition.setting("learning_rate", to: .number(1024)))
            Ends.fill(model.current, Modesty.values, seed: seed)
            for (place, slot) in model.optimizer.slots.enumerated() {
                let isRoot = model.optimizer.modestRoots?.contains(place) == true
                Ends.fill(slot.buffer, isRoot ? Modesty.roots : Modesty.slots, seed: seed + 100 * (place + 1))
            }
            var gradients = model.noise(step: 0)
            Ends.fill(gradients.dense, Modesty.values, seed: seed + 1000)
            let report = try model.optimizer.update(
                &gradients, from: model.current.base, to: model.next.base, areModest: true)
            #expect(report.applied)
            #expect(model.next.isFinite)
            #expect(model.areSlotsFinite)
        }
    }

    @Test("a weight, a slot or a gradient beyond is seen", arguments: [0, 15, 16, 76])
    func beyond(_ place: Int) throws {
        let zeros = [Float](repeating: 0, count: 77)
        var beyond = zeros
        beyond[place] = 0x1p30
        let momentum = #"{"optimizer":{"type":"Momentum","momentum":0.9},"learning_rate":0.5}"#
        let weights = try Replay(momentum, ["w": beyond])
        #expect(try !weights.push(["w": zeros]).areModest)
        let slots = try Replay(momentum, ["w": zeros])
        slots.tellsModesty = true
        #expect(try slots.push(["w": zeros]).areModest)
        beyond[place] = 0x1p62
        #expect(try !slots.push(["w": beyond]).areModest)
    }
}

extension ModestyTests {
    @Test(
        "gradients that the decoder found modest are not read again, unless unscaling makes them larger",
        arguments: [("1", false), ("1024", false), ("9.5367431640625e-07", true)])
    func known(_ lossScale: String, copiesSlots: Bool) throws {
        let rest = #""loss_scale":\#(lossScale),"clip":{"global_norm":1e30}"#
        let model = try Replay(
            #"{"optimizer":{"type":"Momentum","momentum":0.9},"learning_rate":0.5,\#(rest)}"#, ["w": [1, 2, 3]])
        var gradients = Gradients(dense: try FloatBuffer(count: 3), parameterCount: 1)
        gradients.dense.fill(0x1p29)
        gradients.isDense = [true]
        gradients.areKnownModest = true
        var copied = 0
        _ = try model.optimizer.update(
            &gradients, from: model.current.base, to: model.next.base, areModest: true, counting: { copied += $0 })
        #expect((copied > 0) == copiesSlots)
    }
}

/// Numbers from the ends of a range, and next to zero.
private enum Ends {
    static func fill(_ buffer: FloatBuffer, _ range: Range<Float>, seed: Int) {
        let ends = [
            range.lowerBound, range.upperBound.nextDown, 0, max(range.lowerBound, -1e-38), .leastNonzeroMagnitude,
            1e-20,
        ]
        let generator = CounterGenerator(seed: UInt64(seed), name: "ends")
        for i in 0..<buffer.count { buffer.base[i] = ends[Int(generator.unit(UInt64(i)) * Double(ends.count))] }
    }
}
