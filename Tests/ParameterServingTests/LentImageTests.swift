// The copies of slots for a snapshot: in the model's free buffers, which return to it.

import Optimizers
import Testing

@testable import ParameterServing

@Suite("Lent images")
struct LentImageTests {
    @Test("the copies take no new memory once the model has pushed, and later pushes do not change them")
    func copies() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(
                ["optimizer": "adam"], [("w", Array(repeating: 0.5, count: 50_000))])
            for number in 1...20 {
                try model.push(["w": Array(repeating: Float(number), count: 50_000)], seq(number))
                _ = try model.waitForImage().use { $0.head.version }
            }
            let (digest, budget) = (model.digest, registry.budget)
            let before = budget.reserved
            let lent = try model.waitForImage()
            // Less than one slot of 200,000 bytes.
            #expect(budget.reserved - before < 150_000)
            try model.push(["w": Array(repeating: -1, count: 50_000)], seq(21))
            #expect(lent.use { $0.digest.description } == digest && model.digest != digest)
        }
    }

    @Test("slots of another shape than the parameters are copied, too")
    func otherShapes() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(
                ["optimizer": "AdaFactor"],
                [("w", Array(repeating: 0.5, count: 600))])
            try model.push(["w": Array(repeating: 1, count: 600)], seq(1))
            let lent = try model.waitForImage()
            #expect(lent.use { $0.digest.description } == model.digest)
            #expect(lent.use { $0.values.count } == model.inspected { 1 + $0.optimizer.exportState().slots.count })
        }
    }
}
