// Scenarios as text: a command, `----`, its output, and an empty line; text before a command is for readers. With
// PARAMD_WRITE_SCENARIOS=1 the files are written from the code's output; read them before you commit them.

import Foundation

/// A file of Scenarios.
struct ScenarioFile {
    /// A command with its output.
    struct Block: Equatable {
        /// The comments and empty lines before it.
        var preface: [String]
        var command: String
        var output: [String]
    }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Scenarios")

    private let place: URL
    let blocks: [Block]
    private let rest: [String]

    /// The names of all files.
    static var names: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
        return files.filter { $0.hasSuffix(".txt") }.sorted()
    }

    init(_ name: String) throws {
        place = Self.folder.appending(path: name)
        var blocks: [Block] = []
        var preface: [String] = []
        var lines = try String(contentsOf: place, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false
        ).map(String.init)[...]
        if lines.last == "" { lines.removeLast() }
        while let line = lines.popFirst() {
            guard !line.isEmpty, !line.hasPrefix("#") else {
                preface.append(line)
                continue
            }
            var block = Block(preface: preface, command: line, output: [])
            if lines.first == "----" {
                lines.removeFirst()
                block.output = Array(lines.prefix { !$0.isEmpty })
                lines = lines.dropFirst(block.output.count)
            }
            blocks.append(block)
            preface = []
        }
        self.blocks = blocks
        rest = preface
    }

    /// Whether files are written instead of compared.
    static var isWriting: Bool { ProcessInfo.processInfo.environment["PARAMD_WRITE_SCENARIOS"] == "1" }

    /// Writes the file with other outputs.
    func write(_ blocks: [Block]) throws {
        let lines = blocks.flatMap { $0.preface + [$0.command, "----"] + $0.output } + rest
        try (lines.joined(separator: "\n") + "\n").write(to: place, atomically: true, encoding: .utf8)
    }
}
