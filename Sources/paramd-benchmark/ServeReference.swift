// The bare server as a process of its own, so that it shares nothing with the load but the machine.

import ArgumentParser
import CReference
import Glibc

/// Serves the bare C server until standard input ends.
struct ServeReference: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve-reference", abstract: "Serves the bare C server of the comparison.", shouldDisplay: false)

    @Option var parameters: Int
    @Option var rule: String
    @Option var file: String?

    func run() throws {
        var options = cr_options()
        options.parameters = parameters
        options.rule = rule == "adam" ? CR_ADAM : CR_SGD
        options.file = -1
        if let file {
            options.file = open(file, O_RDWR)
            guard options.file >= 0 else { throw BenchmarkError("The file \(file) cannot be opened.") }
            options.file_size = Int(lseek(options.file, 0, SEEK_END))
        }
        var port: UInt16 = 0
        guard let server = cr_start(&options, &port) else { throw BenchmarkError("The bare server did not start.") }
        print("listening on http://127.0.0.1:\(port)")
        fflush(nil)
        var byte: UInt8 = 0
        while read(0, &byte, 1) > 0 {}
        cr_stop(server)
    }
}

/// A failure of the benchmark itself, in a sentence.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
