// What charts, receipts and followers say about a round: it is one update, however many pushes it has.

import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Rounds in charts, receipts and events")
struct RoundHistoryTests {
    private static func state(_ settings: SettingValue) throws -> ModelState {
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 24, threads: 0), .builtin)
        var state = try assembly.assemble("m", ModelUID(number: 1), .definition(.of(settings, [("w", [6, 8])])))
        state.begin(at: 1)
        return state
    }

    private static func settings(_ consistency: SettingValue, clip: SettingValue? = nil) -> SettingValue {
        (["optimizer": "sgd", "learning_rate": 1, "consistency": consistency] as SettingValue)
            .setting("clip", to: clip)
    }

    /// Applies a push with its time, and returns the effects.
    @discardableResult
    private static func push(
        _ state: inout ModelState, _ worker: Name, _ values: [Float], time: Int, loss: Double? = nil
    ) throws -> [Effect] {
        var push = try state.makePush(["w": values], seq(1, worker))
        (push.sighting, push.loss, push.basedOn) = (Sighting(time: time), loss, .step(0))
        return state.apply(.push(push), at: state.position)
    }

    private static func rounds(_ effects: [Effect]) -> [SettledRound] {
        effects.compactMap { if case .event(.round(let settled), _, _) = $0 { settled } else { nil } }
    }

    private static func receipt(_ state: ModelState, _ worker: Name) throws -> Receipt {
        guard case .applied(let receipt, _) = try state.ledger.findLogged(seq(1, worker)) else {
            throw ServingError.unknownWorker(worker)
        }
        return receipt
    }

    @Test("a round is one point of the update's charts; what its pushes report has one point each")
    func points() throws {
        var state = try Self.state(Self.settings(["mode": "sync", "workers": 3]))
        try Self.push(&state, "c", [3, 0], time: 100, loss: 5)
        try Self.push(&state, "a", [3, 0], time: 103, loss: 6)
        try Self.push(&state, "b", [3, 12], time: 104, loss: 7)
        let history = state.trainingHistory
        // The mean is (3, 4); its update, of norm 5, moves parameters of norm 10.
        #expect(history.gradientNorm.points.map(\.last) == [5] && history.updateRatio.points.map(\.last) == [0.5])
        #expect(history.rates.points(ofGroup: 0).map(\.count) == [1])
        #expect(history.gradientNorm.points.map(\.time) == [104])
        // In the order in which they arrived.
        #expect(history.loss.points.map(\.last) == [5, 6, 7] && history.staleness.points.map(\.last) == [0, 0, 0])
        // One push in three seconds from 100, one in the second 103.
        #expect(history.pushes.series.points.map(\.last) == [1.0 / 3, 1])
    }

    @Test("a round that is skipped is one point, too, and moves nothing")
    func skipped() throws {
        var state = try Self.state(
            Self.settings(["mode": "sync", "workers": 2, "reduce": "sum"]).setting("on_nonfinite", to: "skip"))
        try Self.push(&state, "a", [3e38, 0], time: 100)
        let effects = try Self.push(&state, "b", [3e38, 0], time: 100)
        #expect(state.trainingHistory.updateRatio.points.isEmpty && state.trainingHistory.rates.points.isEmpty)
        #expect(Self.rounds(effects).map(\.outcome) == [.skipped] && state.optimizer.step == 0)
        #expect(
            state.trainingHistory.overflows.points.map(\.last) == [1] && state.trainingHistory.lossScale.points == [])
    }

    @Test("each worker's receipt has its own norms before and after its clip")
    func clippedPerWorker() throws {
        for (clip, after) in [
            (["global_norm": 2.5, "per": "worker"], [2.5, 2.5, 0.5]),
            // (3, 4) becomes (2, 2), (0, 10) becomes (0, 2).
            (["value": 2, "per": "worker"], [2.8284271247461903, 2, 0.5]),
        ] as [(SettingValue, [Double])] {
            var state = try Self.state(Self.settings(["mode": "sync", "workers": 3], clip: clip))
            try Self.push(&state, "a", [3, 4], time: 100)
            try Self.push(&state, "c", [0.5, 0], time: 100)
            try Self.push(&state, "b", [0, 10], time: 100)
            for (worker, norms) in zip(["a", "b", "c"] as [Name], zip([5, 10, 0.5], after)) {
                let receipt = try Self.receipt(state, worker)
                #expect(receipt.gradientNorm == norms.0, "\(worker)")
                #expect(abs((receipt.clippedGradientNorm ?? 0) - norms.1) < 1e-5, "\(worker)")
            }
            // The chart has the norm of the mean.
            let mean = state.trainingHistory.gradientNorm.points.map(\.last)
            #expect(mean.count == 1 && mean[0] > 0.5 && mean[0] < 2.5)
        }
    }

    @Test("followers hear of each round how it ended, and why")
    func events() throws {
        var state = try Self.state(
            Self.settings(["mode": "sync", "workers": 2, "min_pushes": 1, "round_timeout": "9s"]))
        var told: [SettledRound] = []
        func apply(_ command: Command) { told += Self.rounds(state.apply(command, at: state.position)) }
        func push(_ worker: Name, _ number: Int) throws {
            let push = try state.makePush(["w": [1, 0]], seq(number, worker))
            apply(.push(push))
        }
        try push("a", 1)
        #expect(told.isEmpty)
        try push("b", 1)
        try push("a", 2)
        apply(.closeRound(RoundClosing(round: 1, action: .update)))
        try push("a", 3)
        apply(.closeRound(RoundClosing(round: nil, action: .update)))
        try push("a", 4)
        apply(.closeRound(RoundClosing(round: 3, action: .drop)))
        // One of another round does nothing.
        try push("a", 5)
        apply(.closeRound(RoundClosing(round: 3, action: .drop)))
        apply(.reconfigure(SettingsPatch(patch: ["consistency": ["mode": "async"]]), ifVersion: nil))
        try push("a", 6)
        let facts = told.map { "\($0.number) \($0.step) \($0.pushes)/\($0.needed ?? 0) \($0.outcome) \($0.reason)" }
        #expect(
            facts == [
                "1 1 2/2 applied full", "2 2 1/2 applied quorum", "3 3 1/2 applied step", "4 4 1/2 dropped deadline",
                "5 4 1/0 applied mode",
            ])
        #expect(told.map(\.version) == [2, 3, 4, nil, 6])
    }

    @Test("a restored state and a refused update drop the round, and followers hear why")
    func dropped() throws {
        var state = try Self.state(Self.settings(["mode": "manual"]))
        let image = try state.image()
        try Self.push(&state, "a", [1, 0], time: 100)
        let restored = state.apply(.restore(Restoration(image)), at: state.position)
        #expect(Self.rounds(restored).map { "\($0.outcome) \($0.reason)" } == ["dropped restored"])
        try Self.push(&state, "b", [-3e38, 0], time: 100)
        let values = try state.makePush(["w": [3e38, 0]])
        let imported = state.apply(
            .importValues(values.arena, present: [true], ifVersion: nil), at: state.position)
        #expect(Self.rounds(imported).isEmpty)
        let closed = state.apply(.closeRound(RoundClosing(round: nil, action: .update)), at: state.position)
        #expect(Self.rounds(closed).map { "\($0.outcome) \($0.reason)" } == ["dropped diverged"])
    }
}
