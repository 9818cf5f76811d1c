// A history as JSON or CSV, made series by series, because there may be thousands.

import Names
import ParameterServing
import TensorCoding

/// The answer of `history` being made.
struct HistoryDocument: PieceMaker {
    /// The most points that are written at once.
    private static let pointsInPlace = 128

    let count: Int? = nil
    private let version: PublishedVersion
    private let series: [NamedSeries]
    private let selection: HistorySelection
    private let form: HistoryForm
    /// The budget's loan for the history.
    private let loan: Reservation
    private var writer: JSONWriter
    private var text: [UInt8] = []
    /// The next part: 0 is the head, then one for each series, then the end.
    private var place = 0

    /// Makes a document of the selected points.
    init(
        _ version: PublishedVersion, _ series: [NamedSeries], _ selection: HistorySelection, as form: HistoryForm,
        indented: Bool, loan: Reservation
    ) {
        (self.version, self.series, self.selection, self.form) = (version, series, selection, form)
        self.loan = loan
        writer = JSONWriter(indented: indented)
    }

    /// Whether it is short enough to be made in one piece.
    var isShort: Bool {
        var points = 0
        for series in series {
            points += 1 + series.points.count
            if points > Self.pointsInPlace { return false }
        }
        return true
    }

    mutating func next() -> [UInt8]? {
        while text.count + writer.bytes.count < PieceSize.piece, place <= series.count + 1 {
            switch form {
            case .json: writeJSON()
            case .csv: writeCSV()
            }
            place += 1
        }
        let piece = form == .json ? writer.take() : text
        text.removeAll(keepingCapacity: true)
        return piece.isEmpty ? nil : piece
    }

    private func points(_ series: NamedSeries) -> [HistoryPoint] {
        series.points.selected(selection.steps, most: selection.points)
    }

    private mutating func writeJSON() {
        switch place {
        case 0:
            writer.beginObject()
            writer.member("model", version.facts.name)
            writer.member("step", version.step)
            writer.key("series")
            writer.beginObject()
        case series.count + 1:
            writer.endObject()
            writer.endObject()
            writer.endDocument()
        default: writer.series(series[place - 1].name, points(series[place - 1]))
        }
    }

    private mutating func writeCSV() {
        switch place {
        case 0: text += Array("series,first_step,step,time,count,value,min,max\r\n".utf8)
        case series.count + 1: break
        default:
            let name = CurveTable.quoted(series[place - 1].name.text)
            for point in points(series[place - 1]) {
                text += Array("\(name),\(point.firstStep),\(point.lastStep),\(point.time),\(point.count),".utf8)
                text += Array("\(point.last),\(point.least),\(point.most)\r\n".utf8)
            }
        }
    }
}

extension JSONWriter {
    /// Writes a series by columns.
    fileprivate mutating func series(_ name: Name, _ points: [HistoryPoint]) {
        key(name)
        beginObject()
        let numbers: [(Name, KeyPath<HistoryPoint, Int>)] = [
            ("first_step", \.firstStep), ("step", \.lastStep), ("time", \.time), ("count", \.count),
        ]
        for (column, path) in numbers {
            key(column)
            integers(points.lazy.map { $0[keyPath: path] })
        }
        let values: [(Name, KeyPath<HistoryPoint, Double>)] = [("value", \.last), ("min", \.least), ("max", \.most)]
        for (column, path) in values {
            key(column)
            self.numbers(points.lazy.map { $0[keyPath: path] })
        }
        endObject()
    }
}
