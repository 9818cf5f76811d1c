// Settings files and variables with mistakes: each is reported with its line, its key and the correction.

import Testing

@testable import ParameterServer

@Suite("Mistakes in settings files and in variables")
struct SettingFileTests {
    /// The refusal of a start with this file; empty if the start succeeds.
    func refusal(_ yaml: String) throws -> String {
        try withFile(yaml) { path in
            do {
                _ = try EffectiveSettings(Flags.parse(["--config", path]), environment: [:])
                return ""
            } catch let failure as StartFailure {
                #expect(failure.status == .configuration)
                return failure.message.replacing(path, with: "FILE")
            }
        }
    }

    @Test(
        "a mistake is told with its line",
        arguments: [
            ("memory: 1G\nmemry: 1G", "FILE:2: memry is not a setting: did you mean `memory`?"),
            ("limits:\n  models: 3\n  worker: 4", "FILE:3: limits.worker is not a setting: did you mean `workers`?"),
            ("models: 3", "FILE:1: models is a limit. Move it under `limits:`."),
            ("limits: {memory: 1G}", "FILE:1: limits.memory is not a limit. Move memory to the top level"),
            ("limits:\n- models", "FILE:1: limits must contain `name: value` lines"),
            ("limits: {wait: 600s}", "FILE:1: limits.wait is fixed at 300s and cannot be changed. Leave it out."),
            ("config: other.yaml", "FILE:1: config is not a setting"),
            ("# c\nlisten: 127.0.0.1:0\nlisten: 127.0.0.1:1", "FILE:2: listen is set more than once"),
            ("limits: {keys: 1, keys: 2}", "FILE:1: keys is set more than once"),
            ("memory:", "FILE:1: memory has no value"),
            ("memory: ~", "FILE:1: memory has no value"),
            ("allow-host: a.example", "FILE:1: allow-host must be a list. Write `allow-host: [a.example]`."),
            ("allow-host: [[a.example]]", "FILE:1: allow-host must be a list of texts"),
            (
                "log-level: [info]",
                "FILE:1: log-level must be one value, not a list or a mapping. Write `log-level: info`."
            ),
            ("memory: {size: 1G}", "FILE:1: memory must be one value"),
            ("? [a]\n: 1", "FILE:1: a name must be text"),
            ("- memory", "FILE:1: a settings file has one line `name: value` for each"),
            ("memory 1G", "FILE:1: a settings file has one line `name: value` for each"),
            ("memory: 1G\n\tlisten: x", "FILE:2: invalid YAML"),
            ("memory: 1G\nallow-host: [*.example.org]", "FILE:2: invalid YAML"),
            ("memory: 1G\n---\nmemory: 2G", "FILE:2: invalid YAML"),
            ("memory: *nothing", "FILE:1: invalid YAML"),
            ("memory: \"\\xZZ\"", "FILE:1: invalid YAML"),
            ("insecure-no-auth: on", "FILE:1: insecure-no-auth must be true or false, not `on`."),
        ])
    func mistake(yaml: String, words: String) throws {
        let refusal = try refusal(yaml)
        #expect(refusal.contains(words), "\(refusal)")
    }

    @Test("every mistake is told, in the order of the lines")
    func all() throws {
        let lines = try refusal("receipt-window: 0\nmemry: 1\nlimits: {models: 0}\nlisten: x\n").split(separator: "\n")
        #expect(lines.count == 4)
        for (number, line) in lines.enumerated() { #expect(line.contains("FILE:\(number + 1): "), "\(line)") }
    }

    @Test(
        "keys that are set again and a line that cannot be read hide no other mistake",
        arguments: [
            ("memry: 1\nlisten: x\nlisten: y\nkeys: 1", [1, 2, 3, 4]),
            ("listen: :0\nlisten: :1\n'listen': :2\r\nlimits: {keys: 1, keys: 2, keyz: 3}\nmemry: 1", [1, 3, 4, 4, 5]),
            ("memory: 1G\nmemory: 2G\nmemory: 1", [1, 3]),
            ("memry: 1\nlimits:\n  model: 3\nallow-host: [*.example.org]\nlater: 1", [1, 3, 4]),
            ("memry: 1\nmemry: 1\nallow-host: [a,\n  \tb: {", [1, 2, 5]),
            ("limits:\n  models: a: 3\nlater: 1", [2]),
            ("memory:\nallow-host:\n  - [a\nlater: 1", [1, 4]),
        ])
    func hidden(yaml: String, numbers: [Int]) throws {
        let lines = try refusal(yaml).split(separator: "\n")
        #expect(lines.map { $0.contains(#/FILE:\d+: /#) } == numbers.map { _ in true }, "\(lines)")
        #expect(lines.compactMap { $0.firstMatch(of: #/FILE:(\d+): /#).flatMap { Int($0.1) } } == numbers, "\(lines)")
    }

    @Test("a file that says nothing changes nothing", arguments: ["", "\n", "# a comment\n", "---\n", "{}", "~"])
    func nothing(yaml: String) throws { #expect(try refusal(yaml) == "") }

    @Test("JSON is a file of settings too")
    func json() throws { #expect(try refusal(#"{"memory": "1G", "limits": {"models": 3}}"#) == "") }

    @Test("a file that cannot be read is named", arguments: ["/nowhere/paramd.yaml", "/tmp", "/dev/zero"])
    func unreadable(path: String) throws {
        let failure = try #require(throws: StartFailure.self) {
            try EffectiveSettings(Flags.parse([]), environment: ["PARAMD_CONFIG": path])
        }
        #expect(failure.message.contains("\(path) cannot be read"))
    }

    @Test(
        "an unknown variable is refused with the one that is meant",
        arguments: [
            ("PARAMD_MEMRY", "PARAMD_MEMORY"), ("PARAMD_LIMIT_MODELS", "PARAMD_LIMITS_MODELS"),
            ("PARAMD_DATADIR", "PARAMD_DATA_DIR"),
        ])
    func unknown(variable: String, meant: String) throws {
        let failure = try #require(throws: StartFailure.self) {
            try EffectiveSettings(Flags.parse([]), environment: [variable: "1"])
        }
        #expect(failure.message.contains("\(variable) is not a setting: did you mean `\(meant)`"), "\(failure.message)")
    }

    @Test(
        "variables of others are ignored",
        arguments: [
            "PARAMD_BIN", "PARAMD_SEEDS", "PARAMD_SERVICE_HOST", "PARAMD_PORT", "PARAMD_PORT_8470_TCP_ADDR",
            "MY_PARAMD_X",
        ])
    func foreign(variable: String) throws {
        #expect(throws: Never.self) { try EffectiveSettings(Flags.parse([]), environment: [variable: "1"]) }
    }
}
