// Every row of the tables of settings and limits: read from a flag, a variable and a file, right and wrong, and
// reported with its origin.

import Glibc
import Names
import ParameterAPI
import ParameterServing
import Testing

@testable import ParameterServer

/// The values of one row: `right` is reported as `told`; `wrong` is refused with `words`.
struct SettingExample: CustomTestStringConvertible {
    let path: [String]
    let right: [String]
    let told: String
    let wrong: [String]
    let words: String

    init(_ name: String, _ right: String, told: String? = nil, _ wrong: String, _ words: String) {
        (path, self.right, self.told) = (name.split(separator: ".").map(String.init), [right], told ?? right)
        (self.wrong, self.words) = ([wrong], words)
    }

    var testDescription: String { path.joined(separator: ".") }

    static let all = [
        SettingExample("listen", "[::1]:80", "localhost", "HOST:PORT"),
        SettingExample("data-dir", "/", "", "must be the path of a directory"),
        SettingExample("memory", "3072K", told: "3M", "1000", "at least 1M"),
        SettingExample(
            "durability", "interval:50", "interval:86400001", "group, sync, interval:MS (up to a day), none or memory"),
        SettingExample("receipt-window", "7", "0", "at least 1"),
        SettingExample("snapshot-after", "1024T", "1025T", "up to 1024T"),
        SettingExample("allow-host", "*.example.org", "*", "without port and path"),
        SettingExample("without-model", "lenet", "", "name of a model"),
        SettingExample("log-level", "error", "loud", "trace, debug, info"),
        SettingExample("insecure-no-auth", "true", "yes", "true or false"),
        SettingExample("limits.connections", "12", "0", "at least 1"),
        SettingExample("limits.connections-per-address", "12", "-3", "at least 1"),
        SettingExample("limits.target-bytes", "12K", "16Q", "K, M, G or T"),
        SettingExample("limits.header-bytes", "2048", told: "2K", "0", "K, M, G or T"),
        SettingExample("limits.head-deadline", "700ms", "700", "s or ms"),
        SettingExample("limits.idle-deadline", "5s", "5m", "s or ms"),
        SettingExample("limits.minimum-rate", "1000", "slow", "K, M, G or T"),
        SettingExample("limits.rate-window", "9000ms", told: "9s", "0s", "s or ms"),
        SettingExample("limits.pressure-rate", "4M", "x", "K, M, G or T"),
        SettingExample("limits.pressure-grace", "1s", "1", "s or ms"),
        SettingExample("limits.half-closed", "2s", "2sec", "s or ms"),
        SettingExample("limits.body-memory-per-model", "25%", "25", "from 1% to 100%"),
        SettingExample("limits.body-memory-per-address", "100%", "101%", "from 1% to 100%"),
        SettingExample("limits.lingering", "3", "three", "at least 1"),
        SettingExample("limits.linger", "250ms", "0ms", "s or ms"),
        SettingExample("limits.ignored-body", "1M", "1MM", "K, M, G or T"),
        SettingExample("limits.turn", "64", "6.4", "at least 1"),
        SettingExample("limits.models", "10", "1e3", "at least 1"),
        SettingExample("limits.checkpoints", "4", "0x4", "at least 1"),
        SettingExample("limits.checkpoints-in-all", "40", "4 0", "at least 1"),
        SettingExample("limits.versions", "9", "99999999999999999999", "at least 1"),
        SettingExample("limits.version-bytes", "1G", "1.5G", "K, M, G or T"),
        SettingExample("limits.waiting-pulls", "50%", "0%", "from 1% to 100%"),
        SettingExample("limits.journal", "512M", "512MM", "K, M, G or T"),
        SettingExample("limits.keys", "1", "none", "at least 1"),
        SettingExample("limits.key-lifetime", "60s", "1d", "s or ms"),
        SettingExample("limits.workers", "2", "+2", "at least 1"),
        SettingExample("limits.worker-lifetime", "1ms", "-1s", "s or ms"),
        SettingExample("limits.lease", "60s", "1d", "s or ms"),
        SettingExample("limits.barriers", "4", "0", "at least 1"),
        SettingExample("limits.barrier-waiters", "100", "1e2", "at least 1"),
        SettingExample("limits.barrier-hold", "5s", "5", "s or ms"),
        SettingExample("limits.events", "1", "0", "at least 1"),
        SettingExample("limits.event-streams", "1", "0", "at least 1"),
        SettingExample("limits.event-heartbeat", "1s", "15", "s or ms"),
    ]
}

/// How a value of a row is written in each source.
enum Writing: CaseIterable {
    case flag, environment, file

    /// The settings with these texts of one setting in this source, and defaults for everything else.
    func settings(_ setting: Setting, _ texts: [String]) throws -> EffectiveSettings {
        switch self {
        case .flag: try EffectiveSettings(Flags.parse(arguments(setting, texts)), environment: [:])
        case .environment:
            try EffectiveSettings(Flags.parse([]), environment: [setting.variable: texts.joined(separator: ",")])
        case .file:
            try withFile(yaml(setting, texts)) {
                try EffectiveSettings(Flags.parse(["--config", $0]), environment: [:])
            }
        }
    }

    private func arguments(_ setting: Setting, _ texts: [String]) -> [String] {
        if setting.isLimit { return ["--limit", "\(setting.name)=\(texts[0])"] }
        return setting.kind.form == .yes ? ["--\(setting.name)"] : texts.flatMap { ["--\(setting.name)", $0] }
    }

    private func yaml(_ setting: Setting, _ texts: [String]) -> String {
        let quoted = texts.map { "\"\($0)\"" }.joined(separator: ", ")
        let line = "\(setting.name): \(setting.kind.form == .list ? "[\(quoted)]" : quoted)\n"
        return setting.isLimit ? "# one\nlimits:\n  \(line)" : "# one\n\n\(line)"
    }
}

/// Calls `body` with the path of a file that contains `text`.
func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
    var path = Array("/tmp/paramd-settings-XXXXXX".utf8CString)
    let file = mkstemp(&path)
    try #require(file >= 0)
    defer {
        close(file)
        unlink(path)
    }
    try #require(Array(text.utf8).withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) } == text.utf8.count)
    return try body(String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
}

@Suite("Settings")
struct SettingTests {
    @Test("every row has an example here")
    func examples() {
        let settable = Setting.all.filter { $0.kind.form != .fixed && $0.name != "config" }.map(\.path)
        #expect(settable == SettingExample.all.map(\.path))
    }

    @Test("a right value is read from each source, and told with it", arguments: SettingExample.all, Writing.allCases)
    func right(example: SettingExample, writing: Writing) throws {
        let setting = try #require(Setting.all.first { $0.path == example.path })
        let settings = try writing.settings(setting, example.right)
        #expect(settings.text(of: setting) == example.told)
        switch (writing, settings.origin(of: setting)) {
        case (.flag, .flag), (.environment, .environment): break
        case (.file, .file(let path, let line)): #expect(line == 3 && path.hasPrefix("/tmp/paramd-settings-"))
        case (_, let origin): Issue.record("told to come from \(origin)")
        }
        for other in Setting.all where other.path != setting.path && other.name != "config" {
            #expect([.builtIn, .fixed].contains(settings.origin(of: other)))
        }
    }

    @Test("a wrong value is refused from each source, by its place", arguments: SettingExample.all, Writing.allCases)
    func wrong(example: SettingExample, writing: Writing) throws {
        let setting = try #require(Setting.all.first { $0.path == example.path })
        if setting.kind.form == .yes, writing == .flag { return }
        let failure = try #require(throws: StartFailure.self) { try writing.settings(setting, example.wrong) }
        #expect(failure.message.contains(example.words), "\(failure.message)")
        let place =
            switch writing {
            case .flag: setting.flag
            case .environment: setting.variable
            case .file: ":3: \(setting.path.joined(separator: "."))"
            }
        #expect(failure.message.contains(place), "\(failure.message)")
        #expect(writing == .flag || failure.status == .configuration)
    }

    @Test("a default that is written out is told as written, from each source", arguments: Writing.allCases)
    func written(writing: Writing) throws {
        let setting = try #require(Setting.all.first { $0.name == "receipt-window" })
        let settings = try writing.settings(setting, ["256"])
        #expect(settings.text(of: setting) == "256" && settings.origin(of: setting) != .builtIn)
    }

    @Test("flags come before variables, and those before the file")
    func precedence() throws {
        try withFile("memory: 4M\nreceipt-window: 4\nlimits: {models: 4, keys: 4}\nallow-host: [file]") { path in
            let flags = try Flags.parse(["--config", path, "--memory=2M", "--limit=models=2", "--limit=models=1"])
            let variables = [
                "PARAMD_MEMORY": "3M", "PARAMD_RECEIPT_WINDOW": "3", "PARAMD_LIMITS_MODELS": "3",
                "PARAMD_ALLOW_HOST": "b.example, a.example", "HOME": "/",
            ]
            let configuration = try EffectiveSettings(flags, environment: variables).configuration
            #expect(configuration.serving.memoryLimit == 2 << 20 && configuration.serving.mostModels == 1)
            #expect(configuration.serving.receiptWindow == 3 && configuration.serving.requestKeys == 4)
            #expect(configuration.http.allowedHosts == ["b.example", "a.example"])
            #expect(configuration.serving.versions == ServerConfiguration().serving.versions)
        }
    }

    @Test("what another source hides is checked all the same")
    func hidden() throws {
        let flags = try Flags.parse(["--memory", "2M"])
        #expect(throws: StartFailure.self) { try EffectiveSettings(flags, environment: ["PARAMD_MEMORY": "much"]) }
    }

    @Test(
        "settings that cannot hold together are refused by the place of the one to change",
        arguments: [
            (["header-bytes=24577"], "--limit header-bytes 24577 and target-bytes 8K are together more than the 32K"),
            (["target-bytes=17K"], "--limit header-bytes 16K and target-bytes 17K are together more than the 32K"),
            (["pressure-rate=239"], "--limit pressure-rate 239 is less than minimum-rate 240"),
            (["minimum-rate=2M"], "--limit pressure-rate 1M is less than minimum-rate 2M"),
        ])
    func related(limits: [String], words: String) throws {
        let settings = try EffectiveSettings(Flags.parse(limits.flatMap { ["--limit", $0] }), environment: [:])
        let failure = try #require(throws: StartFailure.self) { try settings.checked() }
        #expect(failure.status == .configuration && failure.message.contains(words), "\(failure.message)")
    }

    @Test("settings at the edge of what can hold together", arguments: ["header-bytes=24K", "pressure-rate=240"])
    func barely(limit: String) throws {
        let settings = try EffectiveSettings(Flags.parse(["--limit", limit]), environment: [:])
        #expect(throws: Never.self) { try settings.checked() }
    }

    @Test("the limits that cannot be changed leave room for each other")
    func fixedRelations() {
        #expect(FixedLimits.json.textBytes <= FixedLimits.json.documentBytes)
        #expect(FixedLimits.json.documentBytes <= FixedLimits.rates.documentBytes)
        // A name is a text in a body and a segment in a path, where a byte may take three characters.
        #expect(4 * Name.longestParameter <= FixedLimits.json.textBytes)
        #expect(FixedLimits.nameBytes <= FixedLimits.json.textBytes)
        #expect(
            3 * (FixedLimits.nameBytes + 4 * Name.longestParameter) <= ServerConfiguration().http.maximumTargetBytes)
        #expect(FixedLimits.suggestions <= FixedLimits.listedMistakes)
        #expect(Name.longestParameter < FixedLimits.quotedCharacters)
        #expect(FixedLimits.curvePoints <= FixedLimits.curveValues)
        #expect(FixedLimits.conditionVersions <= UInt8.max)
    }

    @Test("the help and the page of settings tell every setting with its default")
    func documented() throws {
        let (help, page) = (RootCommand.helpMessage(columns: 1000), try readText("api/settings.md", most: 1 << 20))
        for setting in Setting.settings {
            #expect(help.contains("--\(setting.name) "), "\(setting.name) is missing in --help")
            let row = "| `\(setting.name)` | \(setting.builtIn) | \(setting.meaning) |"
            #expect(page.contains(row), "missing in api/settings.md: \(row)")
        }
    }
}
