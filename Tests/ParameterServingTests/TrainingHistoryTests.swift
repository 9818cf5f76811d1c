// The history of a training: what it keeps of a long series, and that a replay and an image give the same one. Expected
// points are computed here from the raw values.

import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Training history")
struct TrainingHistoryTests {
    /// Values without any order.
    private static func values(_ count: Int) -> [Double] {
        (0..<count).map { Double(($0 &* 7919 &+ 13) % 1009) / 8 }
    }

    private static func series(_ values: [Double]) -> HistorySeries {
        var series = HistorySeries()
        for (index, value) in values.enumerated() { series.add(value, step: index + 1, time: 100 + index) }
        return series
    }

    /// 512 points are kept; a point holds twice as many values each time they are full.
    @Test(
        "a series keeps the extremes and the last value of equal shares",
        arguments: [(1, 1), (512, 1), (513, 2), (1024, 2), (1025, 4), (5000, 16), (100_001, 256)])
    func shares(count: Int, share: Int) {
        let values = Self.values(count)
        let points = Self.series(values).points
        #expect(points.count == (count + share - 1) / share)
        for (index, point) in points.enumerated() {
            let part = values[index * share..<min((index + 1) * share, count)]
            #expect(point.firstStep == part.startIndex + 1 && point.lastStep == part.endIndex)
            #expect(point.count == part.count && point.time == 99 + part.endIndex)
            #expect(point.least == part.min() && point.most == part.max() && point.last == part.last)
        }
    }

    @Test("a value that is not a number leaves no trace")
    func notFinite() {
        var series = Self.series([1])
        series.add(.nan, step: 2, time: 0)
        series.add(.infinity, step: 3, time: 0)
        #expect(series == Self.series([1]))
    }

    @Test("a value that comes late has its place: a point of its own, or a part of its neighbour")
    func late() {
        var few = HistorySeries()
        for step in [10, 30, 20, 5] { few.add(Double(step), step: step, time: step) }
        #expect(few.points.map(\.lastStep) == [5, 10, 20, 30])
        var many = Self.series(Self.values(600))
        many.add(-1, step: 101, time: 9999)
        many.add(1e9, step: 102, time: 9999)
        let point = many.points[50]
        #expect(point.firstStep == 101 && point.lastStep == 102 && point.count == 4)
        #expect(point.least == -1 && point.most == 1e9 && point.last == 1e9)
        #expect(many.points.count == 300)
    }

    @Test("a return to an earlier step removes what came after it")
    func cut() {
        var series = Self.series(Self.values(600))
        series.cut(after: 100)
        #expect(series.points.count == 50 && series.points.last?.lastStep == 100)
        series.cut(after: 99)
        #expect(series.points.count == 50 && series.points.last?.lastStep == 99)
        series.cut(after: 0)
        #expect(series.points.isEmpty)
    }

    @Test("a selection joins neighbours and keeps their extremes")
    func selection() {
        let points = Self.series([3, 1, 2, 9, 5]).points
        #expect(points.selected(2...4, most: 512).map(\.last) == [1, 2, 9])
        let two = points.selected(0...99, most: 2)
        #expect(two.map(\.count) == [3, 2] && two.map(\.least) == [1, 5] && two.map(\.most) == [3, 9])
        #expect(two.map(\.last) == [2, 5] && two.map(\.lastStep) == [3, 5])
    }

    @Test("rates are points where they change; unchanged ones cost none")
    func rates() {
        var rates = RateHistory()
        for step in 1...1000 { rates.add([step <= 400 ? 0.5 : 0.1, nil], step: step, time: step) }
        let points = rates.points(ofGroup: 0)
        #expect(points.map(\.firstStep) == [1, 401] && points.map(\.lastStep) == [400, 1000])
        #expect(points.map(\.last) == [0.5, 0.1] && points.map(\.count) == [400, 600])
        #expect(rates.points(ofGroup: 1).isEmpty)
    }

    @Test("rates that always change stay bounded, also for many groups", arguments: [1, 5, 1000, 100_000])
    func changingRates(groups: Int) {
        var rates = RateHistory()
        let count = groups > 1000 ? 20 : 2000
        for step in 1...count { rates.add([Float?](repeating: Float(step), count: groups), step: step, time: step) }
        let points = rates.points(ofGroup: groups - 1)
        #expect(points.count <= max(4, min(512, (1 << 17) / groups)))
        #expect(points.first?.least == 1 && points.last?.most == Double(count) && points.last?.last == Double(count))
        #expect(points.reduce(0) { $0 + $1.count } == count)
        for (one, next) in zip(points, points.dropFirst()) {
            #expect(one.most == Double(one.lastStep) && next.least == one.most + 1)
        }
        #expect(rates.bytes >= rates.points.count * groups * 8)
    }

    @Test("the rate of pushes is counted between seconds with pushes")
    func pushRate() {
        var rate = PushRate()
        for (step, time) in [(1, 50), (2, 50), (3, 50), (4, 51), (5, 55), (6, 54), (7, 56)] {
            rate.add(step: step, time: time)
        }
        // Three in second 50; one in the four seconds from 51; the clock was set back at 54; one in two seconds.
        #expect(rate.series.points.map(\.last) == [3, 0.25, 0.5])
        #expect(rate.series.points.map(\.lastStep) == [4, 5, 7])
    }

    @Test("workers and names are bounded: the worker unseen for longest goes, a new name is refused")
    func bounds() throws {
        var history = TrainingHistory()
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 24, threads: 0), .builtin)
        let definition = ModelDefinition.of(["optimizer": "sgd", "learning_rate": 1], [("w", [0])])
        let state = try assembly.assemble("m", ModelUID(number: 1), .definition(definition))
        for number in 0..<100 {
            var push = try state.makePush(["w": [1]], seq(1, Name("worker \(number)")))
            push.sighting = Sighting(time: 1000 + number)
            push.metrics = [Scalar(name: Name("figure \(number)"), value: Double(number))]
            history.add(push, .of(step: number + 1))
        }
        #expect(
            history.workers.count == 64 && history.workers["worker 35"] == nil && history.workers["worker 36"] != nil)
        #expect(history.metrics.count == 64 && history.metrics["figure 64"] == nil)
        try history.checkRoom(for: [Scalar(name: "figure 63", value: 0)], in: "metrics")
        #expect(throws: ServingError.self) {
            try history.checkRoom(for: [Scalar(name: "figure 64", value: 0)], in: "metrics")
        }
        let names = history.series(groups: ["conv"]).map(\.name)
        #expect(names.prefix(5) == ["loss", "lr/conv", "grad_norm", "update_ratio", "staleness"])
        #expect(names[5..<8] == ["loss_scale", "overflows", "rate"])
        #expect(names.count == 8 + 64 + 64 && names.contains("rate/worker 99") && names.contains("metrics/figure 7"))
    }

    // MARK: In a model

    private static func train(_ model: Model, _ steps: ClosedRange<Int>) throws {
        for number in steps {
            var push = try model.makePush(["w": [3, 4]], seq(number))
            push.loss = 1 / Double(number)
            // The second does not say at which step its gradient was computed.
            push.basedOn = number == 2 ? nil : .step(0)
            push.metrics = [Scalar(name: "acc", value: Double(number) / 10)]
            _ = try model.perform(Change.push(push))
        }
    }

    @Test("each value of a push is recorded at the step after it")
    func recorded() throws {
        let registry = ModelRegistry(configuration: ServingConfiguration(memoryLimit: 1 << 30), catalogue: .builtin)
        defer { registry.shutDown() }
        let model = try registry.make(["optimizer": "sgd", "learning_rate": [0.5, 0.25, 0.25]], [("w", [6, 8])])
        try Self.train(model, 1...3)
        let history = model.inspected(\.trainingHistory)
        #expect(
            history.loss.points.map(\.last) == [1, 0.5, 1.0 / 3] && history.loss.points.map(\.lastStep) == [1, 2, 3])
        #expect(history.gradientNorm.points.map(\.last) == [5, 5, 5])
        // The norm of the update 0.5 * (3, 4) is 2.5, that of the parameters (6, 8) is 10.
        #expect(history.updateRatio.points.first?.last == 0.25)
        #expect(history.staleness.points.map(\.last) == [0, 2])
        #expect(history.rates.points(ofGroup: 0).map(\.last) == [0.5, 0.25])
        #expect(history.metrics["acc"]?.points.map(\.last) == [0.1, 0.2, 0.3])
        #expect(model.inspected(\.keptBytes) >= history.bytes && history.bytes > 2000)
    }

    @Test("metrics can be reported alone, for any step that the model has reached")
    func reported() throws {
        let registry = ModelRegistry(configuration: ServingConfiguration(memoryLimit: 1 << 30), catalogue: .builtin)
        defer { registry.shutDown() }
        let model = try registry.make(["optimizer": "sgd", "learning_rate": 1], [("w", [6, 8])])
        try Self.train(model, 1...2)
        let version = model.publication.current.version
        let scalars = [Scalar(name: "val", value: 7)]
        #expect(try model.perform(Change.report(Report(scalars, step: nil))).step == 2)
        #expect(try model.perform(Change.report(Report(scalars, step: 1))).step == 1)
        #expect(throws: ServingError.self) { try model.perform(Change.report(Report(scalars, step: 3))) }
        #expect(model.inspected(\.trainingHistory).metrics["val"]?.points.map(\.lastStep) == [1, 2])
        #expect(model.publication.current.version == version)
    }

    @Test("a restart rebuilds it from the journal, and from an image")
    func replay() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        var model = try registry.make(["optimizer": "sgd", "learning_rate": 0.125], [("w", [6, 8])])
        try Self.train(model, 1...600)
        _ = try model.perform(Change.report(Report([Scalar(name: "val", value: 7)], step: 300)))
        let (before, events) = model.inspected { ($0.trainingHistory, $0.eventCount) }
        #expect(before.loss.points.count == 300)
        for _ in 0..<2 {
            registry.shutDown()
            registry = try directory.open()
            model = try registry.model(named: "m")
            let found = model.inspected { ($0.trainingHistory, $0.eventCount) }
            #expect(found.0 == before && found.1 == events)
        }
        let image = try model.image().bytes
        registry.shutDown()

        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 30, threads: 0), .builtin)
        let state = try assembly.assemble(ImageSource.of(image))
        #expect(state.trainingHistory == before && state.eventCount == events)
    }

    /// Pushes gradients, or infinity in place of one.
    private static func push(_ model: Model, _ numbers: ClosedRange<Int>, overflowing: Set<Int>) throws {
        for number in numbers {
            try model.push(["w": [overflowing.contains(number) ? .infinity : 1, 1]], seq(number))
        }
    }

    @Test("a skipped update is visible: the lower loss scale, and how many were skipped", arguments: [false, true])
    func overflows(inRounds: Bool) throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        // DynamicLossScaleManager halves the scale at an overflow, and doubles it two updates after one.
        let scaling: SettingValue = ["type": "dynamic", "init_loss_scale": 1024, "scale_factor": 2, "scale_window": 2]
        let settings: SettingValue = ["optimizer": "sgd", "learning_rate": 0.125, "loss_scaling": scaling]
        let mode: SettingValue = ["mode": "sync", "workers": 1]
        var model = try registry.make(
            inRounds ? settings.setting("consistency", to: mode) : settings, [("w", [6, 8])])
        // Updates 2 and 3 are skipped, so that the pushes make the steps 1, 1, 1, 2, 3.
        try Self.push(model, 1...5, overflowing: [2, 3])
        let before = model.inspected(\.trainingHistory)
        #expect(before.lossScale.points.map(\.lastStep) == [1, 1, 1, 2, 3])
        #expect(before.lossScale.points.map(\.last) == [1024, 512, 256, 256, 512])
        #expect(before.overflows.points.map(\.lastStep) == [1, 1] && before.overflows.points.map(\.last) == [1, 2])
        #expect(before.lossScale.points.allSatisfy { $0.time > 0 } && before.bytes > 1000)
        let image = try model.image()

        let crashed = try directory.crashImage()
        registry.shutDown()
        registry = try crashed.open()
        defer { registry.shutDown() }
        model = try registry.model(named: "m")
        #expect(model.inspected(\.trainingHistory) == before)
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 30, threads: 0), .builtin)
        let read = try assembly.assemble(ImageSource.of(image.bytes)).trainingHistory
        #expect(read == before && read.metrics.isEmpty)

        // A return takes the later ones back, also from the count.
        try Self.push(model, 6...7, overflowing: [6, 7])
        #expect(model.inspected(\.trainingHistory).overflows.points.map(\.last) == [1, 2, 3, 4])
        try Self.push(model, 8...9, overflowing: [9])
        #expect(model.inspected(\.trainingHistory).overflows.points.map(\.last) == [1, 2, 3, 4, 5])
        _ = try model.perform(command: .restore(Restoration(image)))
        #expect(model.inspected(\.trainingHistory).overflows.points.map(\.last) == [1, 2, 3, 4])
        try Self.push(model, 10...10, overflowing: [10])
        #expect(model.inspected(\.trainingHistory).overflows.points.map(\.last) == [1, 2, 3, 4, 5])
    }

    @Test("however many updates are skipped, the count stays exact and the memory bounded")
    func manyOverflows() {
        var history = TrainingHistory()
        var receipt = Receipt.of(step: 7)
        (receipt.applied, receipt.overflow, receipt.nextLossScale) = (false, true, 1)
        for _ in 1...5000 { history.add(updateOf: receipt, time: 5) }
        #expect(history.overflows.points.last?.last == 5000 && history.overflows.points.count <= 512)
        #expect(history.overflows.points.reduce(0) { $0 + $1.count } == 5000 && history.bytes < 200_000)
    }

    @Test("after a restore the values of later steps are gone, and the next ones follow")
    func restore() throws {
        let registry = ModelRegistry(configuration: ServingConfiguration(memoryLimit: 1 << 30), catalogue: .builtin)
        defer { registry.shutDown() }
        let model = try registry.make(["optimizer": "sgd", "learning_rate": 1], [("w", [6, 8])])
        try Self.train(model, 1...5)
        let image = try model.image()
        try Self.train(model, 6...9)
        _ = try model.perform(command: .restore(Restoration(image)))
        #expect(model.inspected(\.trainingHistory).loss.points.map(\.lastStep) == [1, 2, 3, 4, 5])
        try Self.train(model, 10...10)
        #expect(model.inspected(\.trainingHistory).loss.points.map(\.last) == [1, 0.5, 1.0 / 3, 0.25, 0.2, 0.1])
    }
}

extension Receipt {
    fileprivate static func of(step: Int) -> Receipt {
        Receipt(
            applied: true, step: step, version: step + 1, learningRates: [0.5], staleness: 0, gradientNorm: 1,
            updateRatio: nil, overflow: false, nextLossScale: nil, gap: 0)
    }
}
