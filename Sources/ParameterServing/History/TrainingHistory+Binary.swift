// A training history on disk, in images: each series as its stride and its points.

import Names

extension ByteWriter {
    mutating func write(_ history: TrainingHistory) {
        for series in history.fixed { write(series) }
        write(history.rates)
        write(history.pushes)
        write(history.workers.sorted { $0.key < $1.key }) { writer, worker in
            writer.write(worker.key)
            writer.write(worker.value)
        }
        write(history.namedSeries.sorted { $0.key < $1.key }) { writer, metric in
            writer.write(metric.key)
            writer.write(metric.value)
        }
    }

    private mutating func write(_ series: HistorySeries) {
        write(series.stride)
        write(series.points) { writer, point in
            for number in [point.firstStep, point.lastStep, point.time, point.count] { writer.write(number) }
            for value in [point.least, point.most, point.last] { writer.write(value) }
        }
    }

    private mutating func write(_ rate: PushRate) {
        write(rate.series)
        write(rate.since)
        write(rate.count)
    }

    private mutating func write(_ history: RateHistory) {
        write(history.stride)
        write(history.points) { writer, point in
            for number in [point.firstStep, point.lastStep, point.time, point.count, point.changes] {
                writer.write(number)
            }
            writer.write(list: point.last)
            if point.changes > 1 {
                writer.write(list: point.least)
                writer.write(list: point.most)
            }
        }
    }
}

extension ByteReader {
    /// Reads the output of `write(_: TrainingHistory)`.
    mutating func readTrainingHistory() throws(FormatError) -> TrainingHistory {
        var fixed: [HistorySeries] = []
        for _ in 0..<4 { fixed.append(try readSeries()) }
        let rates = try readRateHistory()
        let pushes = try readPushRate()
        let workers = try readArray { reader throws(FormatError) in (try reader.readName(), try reader.readPushRate()) }
        let metrics = try readArray { reader throws(FormatError) in (try reader.readName(), try reader.readSeries()) }
        let history = TrainingHistory(
            fixed: fixed, rates: rates, pushes: pushes,
            workers: Dictionary(workers, uniquingKeysWith: { first, _ in first }),
            metrics: Dictionary(metrics, uniquingKeysWith: { first, _ in first }))
        return try checked(history, "a training history")
    }

    private mutating func readSeries() throws(FormatError) -> HistorySeries {
        let stride = try readInt()
        let points = try readArray { reader throws(FormatError) in try reader.readPoint() }
        return try checked(HistorySeries(points, stride: stride), "a series that rises")
    }

    private mutating func readPoint() throws(FormatError) -> HistoryPoint {
        let (first, last, time, count) = (try readInt(), try readInt(), try readInt(), try readInt())
        let (least, most, value) = (try readDouble(), try readDouble(), try readDouble())
        guard first <= last, least <= most else {
            throw FormatError(expected: "the point of a series", offset: offset)
        }
        return HistoryPoint(steps: first...last, time: time, count: count, values: least...most, last: value)
    }

    private mutating func readPushRate() throws(FormatError) -> PushRate {
        PushRate(try readSeries(), since: try readInt(), count: try readInt())
    }

    private mutating func readRateHistory() throws(FormatError) -> RateHistory {
        let stride = try readInt()
        let points = try readArray { reader throws(FormatError) in try reader.readRatePoint() }
        return try checked(RateHistory(points, stride: stride), "a history of rates")
    }

    private mutating func readRatePoint() throws(FormatError) -> RateHistory.Point {
        let (first, last, time) = (try readInt(), try readInt(), try readInt())
        let (count, changes) = (try readInt(), try readInt())
        let rates = try readList()
        return RateHistory.Point(
            firstStep: first, lastStep: last, time: time, count: count, changes: changes,
            least: changes > 1 ? try readList() : rates, most: changes > 1 ? try readList() : rates, last: rates)
    }

    private func checked<Value>(_ value: Value?, _ expected: String) throws(FormatError) -> Value {
        guard let value else { throw FormatError(expected: expected, offset: offset) }
        return value
    }
}
