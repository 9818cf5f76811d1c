// paramd-benchmark: what paramd reaches of what the machine allows, measured in turns in one run.

import ArgumentParser
import Foundation

@main
struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "paramd-benchmark",
        abstract: "Compares paramd with the limits of this machine.",
        discussion: """
            Each row measures a limit and paramd in turns, so that other work on the machine meets both, and prints the \
            median of the ratios. 1.00 means that paramd reaches the limit. Build with -c release.
            """,
        subcommands: [Measure.self, ServeReference.self], defaultSubcommand: Measure.self)
}

/// The benchmark itself.
struct Measure: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure", abstract: "Measures the rows and prints the table.")

    @Flag(help: "Print one JSON object in place of the table.")
    var json = false

    @Flag(help: "List the names of the rows.")
    var list = false

    @Option(parsing: .upToNextOption, help: "Measure only rows whose name begins with one of these.")
    var only: [String] = []

    @Option(help: "Seconds of load in each turn.")
    var seconds = 1.0

    @Option(help: "Turns of each row.")
    var rounds = 5

    @Option(help: "The daemon. By default the paramd beside this program.")
    var daemon: String?

    @Option(help: "A folder for journals, on the disk that is to be measured. By default the daemon's.")
    var place: String?

    func validate() throws {
        guard seconds > 0, seconds <= 60 else { throw ValidationError("--seconds must be above 0 and at most 60.") }
        guard (1...100).contains(rounds) else { throw ValidationError("--rounds must be 1 to 100.") }
        guard chosen.isEmpty == false else {
            throw ValidationError("No row begins with \(only.joined(separator: " or ")); --list prints the names.")
        }
    }

    private var chosen: [Row] {
        only.isEmpty ? Row.all : Row.all.filter { row in only.contains { row.name.hasPrefix($0) } }
    }

    func run() throws {
        if list {
            for row in Row.all { print(row.name.padded(to: 26) + row.title) }
            return
        }
        let daemon = daemon ?? ServerProcess.beside("paramd")
        let settings = MeasureSettings(
            daemon: daemon, place: place ?? URL(fileURLWithPath: daemon).deletingLastPathComponent().path,
            seconds: seconds, rounds: rounds)
        try ServerProcess.check(daemon)
        try DiskLimit.check(settings.place)
        var report = Report(machine: try Machine.survey())
        report.printHead(json: json)
        let interruption = Interruption()
        for row in chosen {
            report.add(row, try interruption.measure(row, settings))
            report.printLast(json: json)
            fflush(nil)  // a line when it is measured, also into a file
        }
        try report.printEnd(json: json)
    }
}

/// What every row needs to know.
struct MeasureSettings: Sendable {
    let daemon: String
    let place: String
    let seconds: Double
    let rounds: Int
}
