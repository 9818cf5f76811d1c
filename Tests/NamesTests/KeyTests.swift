// A `String` must not be a key of a dictionary or a set for client names: it would treat two spellings as the same
// name.

import Foundation
import Testing

@Suite("Keys of dictionaries and sets")
struct KeyTests {
    /// Files whose `String` keys are words of this project or of the machine, never names from a client.
    static let words: Set<String> = [
        "ConnectionCensus.swift",  // addresses in digits
        "HostRule.swift",  // host names, folded to lower-case ASCII
        "Call.swift", "Route.swift", "Router.swift",  // the names of route arguments
        "ElementType.swift",  // element types
        "EncodingCache.swift",  // keys that selections make from numbers
        "Optimizer.swift", "OptimizerState.swift", "ModelOptimizer.swift",  // the names of rules' numbers
        "NamedState.swift", "NamedStateReading.swift",  // the same
        "Rule.swift", "OwnRule.swift", "LARS.swift", "SGD.swift",  // the same
        "StateNumber.swift", "StateForm.swift",  // the same
        "Aliases.swift",  // words of other libraries
        "HTTPConfiguration.swift", "ParameterAPI.swift",  // paths of this project
        "SettingSource.swift", "EffectiveSettings.swift",  // settings and variables of the environment
        "FileChecksum.swift", "StorageLog.swift",  // files and events of the storage
    ]

    static let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources")

    @Test("are names wherever a client chooses them")
    func noStrings() throws {
        let files = try #require(FileManager.default.enumerator(at: Self.sources, includingPropertiesForKeys: nil))
        var (seen, needless) = (0, Self.words)
        for case let file as URL in files where file.pathExtension == "swift" {
            seen += 1
            let text = try String(contentsOf: file, encoding: .utf8)
            for key in ["[String:", "Set<String>"] where text.contains(key) {
                needless.remove(file.lastPathComponent)
                guard !Self.words.contains(file.lastPathComponent) else { continue }
                Issue.record("\(file.lastPathComponent) has a \(key); use `Name`, or say here why it is no name")
            }
        }
        #expect(needless == [], "files without such a key need no exemption")
        #expect(seen > 300)
    }
}
