// A server under load: a child process that prints "listening on http://127.0.0.1:PORT".

import Foundation

/// A running server.
///
/// It is in a process group of its own, so a terminal's Ctrl-C does not reach it: only `stop` ends it.
final class ServerProcess {
    let port: UInt16
    private let process: Process
    private let input: Pipe

    /// Starts `program` and waits for its listening line.
    init(_ program: String, _ arguments: [String]) throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        let output = Pipe()
        input = Pipe()
        (process.standardOutput, process.standardInput) = (output, input)
        try process.run()
        var line = ""
        while !line.hasSuffix("\n") {
            let bytes = output.fileHandleForReading.readData(ofLength: 1)
            guard !bytes.isEmpty else {
                process.terminate()
                throw BenchmarkError("\(program) ended without a listening line.")
            }
            line += String(decoding: bytes, as: UTF8.self)
        }
        guard let port = line.split(separator: ":").last.flatMap({ UInt16($0.dropLast()) }) else {
            throw BenchmarkError("\(program) printed \(line.dropLast()) in place of its address.")
        }
        self.port = port
    }

    /// Refuses a program that is not there.
    static func check(_ program: String) throws {
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw BenchmarkError("\(program) is missing; build it with `swift build -c release`, or pass --daemon.")
        }
    }

    /// The program with this name in the folder of the running one.
    static func beside(_ name: String) -> String {
        URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
    }

    /// The path of the running program.
    static var own: String { (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "" }

    /// paramd on a folder.
    static func paramd(_ settings: MeasureSettings, durability: String, folder: String) throws -> ServerProcess {
        try ServerProcess(
            settings.daemon,
            [
                "--listen", "127.0.0.1:0", "--data-dir", folder, "--log-level", "error", "--durability", durability,
            ])
    }

    /// The bare C server; `file` is where it writes and syncs pushes.
    static func reference(parameters: Int, rule: String, file: String? = nil) throws -> ServerProcess {
        try ServerProcess(
            own,
            ["serve-reference", "--parameters", "\(parameters)", "--rule", rule] + (file.map { ["--file", $0] } ?? []))
    }

    /// The largest resident memory so far, in bytes.
    var peak: Int { get throws { try number("VmHWM:", in: "status") * 1024 } }

    /// Bytes that the process had written to its disk.
    var written: Int { get throws { try number("write_bytes:", in: "io") } }

    private func number(_ key: String, in file: String) throws -> Int {
        let path = "/proc/\(process.processIdentifier)/\(file)"
        let line = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").first { $0.hasPrefix(key) }
        let value = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
        guard let value else { throw BenchmarkError("\(path) does not tell \(key)") }
        return value
    }

    /// Ends the process and waits for it.
    func stop() {
        try? input.fileHandleForWriting.close()
        process.terminate()
        process.waitUntilExit()
    }
}
