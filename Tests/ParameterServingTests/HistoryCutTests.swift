// The points of a history after values that come late, and after a return to an earlier step.

import Testing
import Threading

@testable import ParameterServing

@Suite("Late values and returns in a history")
struct HistoryCutTests {
    private static func series(_ steps: ClosedRange<Int>) -> HistorySeries {
        var series = HistorySeries()
        for step in steps { series.add(Double(step), step: step, time: 100 + step) }
        return series
    }

    @Test("a value within the last point joins it, so that an image of the points can be read")
    func lateInLastPoint() throws {
        var series = Self.series(1...514)
        #expect(series.stride == 2 && series.points.last?.count == 2)
        series.add(-7, step: 513, time: 9999)
        let last = try #require(series.points.last)
        #expect(series.points.count == 257 && last.firstStep == 513 && last.lastStep == 514 && last.count == 3)
        #expect(last.least == -7 && last.most == 514 && last.last == 514)
        #expect(HistorySeries(series.points, stride: series.stride) == series)
    }

    @Test("after a return to an early step each value is a point again")
    func returned() {
        var series = Self.series(1...5000)
        #expect(series.stride == 16)
        series.cut(after: 160)
        for step in 161...400 { series.add(Double(step), step: step, time: 9999) }
        #expect(series.points.prefix(10).allSatisfy { $0.count == 16 })
        #expect(series.points.dropFirst(10).map(\.last) == (161...400).map(Double.init))
        // One of the joined values comes late.
        series.add(-1, step: 155, time: 9999)
        #expect(series.points.count == 250 && series.points[9].count == 17 && series.points[9].least == -1)
        #expect(HistorySeries(series.points, stride: series.stride) == series)
        // Later there are as many points as ever, and nothing is lost.
        for step in 401...5000 { series.add(Double(step), step: step, time: 9999) }
        #expect(series.points.count <= 512 && series.points.reduce(0) { $0 + $1.count } == 5001)
        #expect(series.points.map(\.least).min() == -1 && series.points.last?.most == 5000)
    }

    @Test("whatever comes in whatever order, an image of the points can be read, and no value is lost")
    func anyOrder() {
        var (series, seed, newest, added) = (HistorySeries(), UInt64(7), 0, 0)
        func random(_ limit: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % limit
        }
        for _ in 1...30_000 {
            switch random(2000) {
            case 0:
                newest = random(newest + 1)
                series.cut(after: newest)
                added = series.points.reduce(0) { $0 + $1.count }
            case 1..<1000: newest += random(3)
            default: break
            }
            series.add(1, step: random(4) == 0 ? random(newest + 1) : newest, time: 0)
            added += 1
            guard HistorySeries(series.points, stride: series.stride) == series else {
                return #expect(Bool(false), "points that do not rise at step \(newest)")
            }
        }
        #expect(series.points.reduce(0) { $0 + $1.count } == added)
    }

    @Test("a return that leaves most points in place leaves their share as it was")
    func shortReturn() {
        var series = Self.series(1...1000)
        series.cut(after: 900)
        #expect(series.stride == 2 && series.points.count == 450)
    }

    @Test("after a return to an early step each change of rates is a point again")
    func rates() {
        var rates = RateHistory()
        for step in 1...5000 { rates.add([Float(step)], step: step, time: step) }
        rates.cut(after: 160)
        for step in 161...400 { rates.add([Float(step)], step: step, time: step) }
        let points = rates.points(ofGroup: 0)
        #expect(points.map(\.count).prefix(10).allSatisfy { $0 == 16 })
        #expect(points.dropFirst(10).map(\.last) == (161...400).map(Double.init))
        rates.cut(after: 0)
        #expect(rates.points.isEmpty && rates.stride == 1)
    }

    @Test("a group that a growth adds has rates from then on, and an image can be read", arguments: [3, 511, 512, 600])
    func newGroup(updates: Int) throws {
        var rates = RateHistory()
        for step in 1...updates { rates.add([Float?](repeating: Float(step), count: 256), step: step, time: step) }
        #expect(rates.points(ofGroup: 256).isEmpty)
        for step in updates + 1...updates + 2 {
            rates.add([Float?](repeating: Float(step), count: 257), step: step, time: step)
        }
        let (old, new) = (rates.points(ofGroup: 0), rates.points(ofGroup: 256))
        #expect(old.first?.least == 1 && old.last?.last == Double(updates + 2))
        #expect(old.reduce(0) { $0 + $1.count } == updates + 2)
        #expect(new.first.map { $0.least > Double(updates) } == true && new.last?.last == Double(updates + 2))
        #expect(RateHistory(rates.points, stride: rates.stride) == rates)
        // A restore of the layout before the growth.
        rates.cut(after: updates)
        rates.add([Float?](repeating: 7, count: 256), step: updates + 1, time: 0)
        #expect(rates.points(ofGroup: 0).last?.last == 7)
        #expect(rates.points(ofGroup: 256).allSatisfy { $0.lastStep <= updates })
        #expect(RateHistory(rates.points, stride: rates.stride) == rates)
    }
}
