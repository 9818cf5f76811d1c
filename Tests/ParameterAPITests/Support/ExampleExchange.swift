// The exchanges under api/examples, as Tests/conformance reads them: each file contains one request and one answer.

import Foundation

@testable import HTTPServing

/// A request of the examples and the answer that the contract shows.
struct ExampleExchange {
    let name: String
    let method: Method
    let target: String
    let headers: [(name: String, value: String)]
    let body: [UInt8]?
    let answer: String

    /// All exchanges, in the order in which they are sent.
    static func all() throws -> [ExampleExchange] {
        var folder = URL(filePath: #filePath)
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        folder.append(path: "api/examples")
        return try FileManager.default.contentsOfDirectory(atPath: folder.path())
            .filter { $0.hasSuffix(".request") }.sorted()
            .map { try ExampleExchange(String($0.dropLast(8)), in: folder) }
    }

    private init(_ name: String, in folder: URL) throws {
        self.name = name
        answer = try String(contentsOf: folder.appending(path: "\(name).response"), encoding: .utf8)
        let request = try String(contentsOf: folder.appending(path: "\(name).request"), encoding: .utf8)
        let parts = request.split(separator: "\n\n", maxSplits: 1, omittingEmptySubsequences: false)
        let lines = parts[0].split(separator: "\n")
        let words = lines[0].split(separator: " ")
        guard let method = Method(rawValue: String(words[0])) else { throw Unreadable(name: name) }
        self.method = method
        target = String(words[1])
        headers = lines.dropFirst().map { line in
            let colon = line.firstRange(of: ": ")
            return (
                String(line[..<(colon?.lowerBound ?? line.endIndex)]),
                String(line[(colon?.upperBound ?? line.endIndex)...])
            )
        }
        let content = parts.count > 1 ? parts[1].trimmingCharacters(in: .newlines) : ""
        body = content.isEmpty ? nil : Array(content.utf8)
    }

    /// A file that does not hold a request.
    struct Unreadable: Error {
        let name: String
    }
}
