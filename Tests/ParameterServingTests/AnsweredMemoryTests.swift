// A client may push again as soon as it has an answer, and a budget may have room for only one body: so the memory of a
// push must be free before its answer is sent.

import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Memory of what is answered")
struct AnsweredMemoryTests {
    /// The result of a push.
    enum Fate: CaseIterable, Sendable { case applied, repeated, refused }

    /// Observes a buffer without keeping it.
    private final class Watch: @unchecked Sendable {
        weak var arena: Arena?
    }

    /// Sends a push; the future gets the number of its buffers that still exist when it is answered.
    private static func send(_ fate: Fate, number: Int, to model: Model) throws -> Future<Int> {
        let key = seq(fate == .repeated ? 1 : number)
        let push = try model.makePush(["w": fate == .refused ? [.nan, 1] : [1, 1]], key)
        let (watch, held) = (Watch(), Future<Int>())
        watch.arena = push.arena
        model.submit(Change.push(push)) { _ in held.fulfil(watch.arena == nil ? 0 : 1) }
        return held
    }

    @Test("an answered push has released its buffer", arguments: Place.allCases, Fate.allCases)
    func letGo(place: Place, fate: Fate) throws {
        try place.withRegistry { registry in
            let model = try registry.make(["optimizer": "sgd"], [("w", [1, 2])])
            try model.push(["w": [1, 1]], seq(1))
            for number in 2...100 {
                // The push is not answered while this function still holds a reference to it.
                let gate = Future<Void>()
                model.inspect { _ in gate.wait() }
                let held = try Self.send(fate, number: number, to: model)
                gate.fulfil(())
                #expect(held.wait() == 0)
            }
        }
    }
}
