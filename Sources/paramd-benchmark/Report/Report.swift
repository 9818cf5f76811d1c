// The table, and the same as JSON.

import Foundation

/// The rows that were measured, with their machine.
struct Report {
    private let machine: Machine
    private var lines: [Line] = []

    /// One line of the table.
    struct Line: Codable {
        let name, title, unit, limit: String
        let limitFigure, paramd, goal: Double
        /// Nil where the limit was slower than it must be.
        let ratio: Double?
        let lessIsBetter: Bool
        let holds: Bool?
    }

    init(machine: Machine) { self.machine = machine }

    mutating func add(_ row: Row, _ figures: Figures) {
        lines.append(
            Line(
                name: row.name, title: row.title, unit: row.unit, limit: row.limit, limitFigure: figures.limit,
                paramd: figures.paramd, goal: row.goal, ratio: row.ratio(figures), lessIsBetter: row.lessIsBetter,
                holds: row.holds(figures)))
    }

    func printHead(json: Bool) {
        guard !json else { return }
        let memory = String(format: "%.0f GB, triad %.1f GB/s", machine.gigabytes, machine.triad)
        print("\(machine.date), \(machine.processor), \(machine.cores) cores, \(memory)")
        let share = String(format: "%.0f %%", machine.busy * 100)
        print(
            machine.isQuiet
                ? "The machine was quiet: \(share) busy."
                : "The machine was not quiet: \(share) busy. Ratios may be off by 15 %, in rows with the disk by 30 %.")
        print("")
        print(
            "what".padded(to: 52) + "limit".leading(10) + "paramd".leading(10) + "  " + "unit".padded(to: 11)
                + "ratio".leading(6) + "goal".leading(7) + "  limit")
    }

    func printLast(json: Bool) {
        guard !json, let line = lines.last else { return }
        let figures = Self.short(line.limitFigure).leading(10) + Self.short(line.paramd).leading(10)
        let goal = (line.lessIsBetter ? "≤" : "≥") + String(format: "%.2f", line.goal)
        let ratio = line.ratio.map { String(format: "%.2f", $0) } ?? "-"
        let verdict = line.holds.map { $0 ? "" : "  (misses the goal)" } ?? "  (no ratio: the reference is too slow)"
        print(
            line.title.padded(to: 52) + figures + "  " + line.unit.padded(to: 11) + ratio.leading(6) + goal.leading(7)
                + "  " + line.limit + verdict)
    }

    func printEnd(json: Bool) throws {
        guard json else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        print(String(decoding: try encoder.encode(Whole(machine: machine, rows: lines)), as: UTF8.self))
    }

    private struct Whole: Codable {
        let machine: Machine
        let rows: [Line]
    }

    /// Three digits or more.
    private static func short(_ value: Double) -> String {
        String(format: value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value)
    }
}

extension String {
    /// Filled with spaces behind the text.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
    /// Filled with spaces in front of the text.
    func leading(_ width: Int) -> String { String(repeating: " ", count: max(1, width - count)) + self }
}
