// The framework of a definition is a row of the catalogue and a case of one enumeration: a new framework must not
// require a change in a third place.

import Foundation
import Names
import Testing

@testable import Optimizers

@Suite("Frameworks")
struct FrameworkTests {
    @Test("are told apart in their table and in the catalogue's rows, and nowhere else")
    func onePlace() throws {
        let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources")
        let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        var found: Set<String> = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let code = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter {
                !$0.drop { $0 == " " }.hasPrefix("//")
            }
            guard code.contains(where: { $0.contains(/\.(torch|mindSpore)\b/) }) else { continue }
            found.insert(file.lastPathComponent)
        }
        #expect(found == ["Framework.swift", "Catalogue.swift"])
    }

    @Test("their rules are found by `framework` and by its name before theirs", arguments: Framework.allCases)
    func words(_ framework: Framework) throws {
        let rows = Catalogue.builtin.optimizers.filter { $0.traits.framework == framework }
        let name = try #require(rows.first?.traits.name)
        let optimizers = [
            #"{"type":"\#(name)","framework":"\#(framework.rawValue)"}"#, #""\#(framework.rawValue).\#(name)""#,
        ]
        for optimizer in optimizers {
            let model = try Replay(#"{"optimizer":\#(optimizer),"learning_rate":1}"#, ["w": [0]])
            #expect(model.optimizer.plan.optimizerName == name)
            #expect(model.optimizer.counts.isEmpty == !framework.words.countsPerParameter)
        }
    }

    @Test("a group overrides arguments where the framework's groups hold them, and is refused elsewhere")
    func groups() throws {
        func model(_ framework: Framework) throws -> Replay {
            let optimizer = #"{"type":"SGD","momentum":0.5,"framework":"\#(framework.rawValue)"}"#
            let groups = #"[{"params":["a"],"momentum":0},{"params":["b"]}]"#
            return try Replay(
                #"{"optimizer":\#(optimizer),"learning_rate":1,"groups":\#(groups)}"#, ["a": [0], "b": [0]])
        }
        for framework in Framework.allCases where framework.words.groupsHoldArguments {
            let model = try model(framework)
            for _ in 0..<2 { try model.push(["a": [1], "b": [1]]) }
            // Two steps of 1, and a step of 1 before a step of 1 + 0.5.
            #expect(model["a"] == [-2] && model["b"] == [-2.5])
        }
        for framework in Framework.allCases where !framework.words.groupsHoldArguments {
            #expect(throws: OptimizerError.self) { try model(framework) }
        }
    }
}
