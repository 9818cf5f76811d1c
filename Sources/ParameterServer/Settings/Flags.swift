// The command line: which flags were given, and with which texts. What they mean is in the table of settings.

import ArgumentParser

/// What the command line says; nothing in it has a default, so that what was given is known.
struct Flags: ParsableArguments {
    @Option(help: .of("config")) var config: String?
    @Option(help: .of("listen")) var listen: String?
    @Option(help: .of("data-dir")) var dataDir: String?
    @Option(help: .of("memory")) var memory: String?
    @Option(help: .of("durability")) var durability: String?
    @Option(parsing: .unconditional, help: .of("receipt-window")) var receiptWindow: String?
    @Option(help: .of("snapshot-after")) var snapshotAfter: String?
    @Option(help: .of("allow-host")) var allowHost: [String] = []
    @Option(help: .of("without-model")) var withoutModel: [String] = []
    @Option(help: .of("log-level")) var logLevel: String?
    @Flag(help: .of("insecure-no-auth")) var insecureNoAuth = false

    @Option(
        help: ArgumentHelp("Change a limit from the table above; may be repeated.", valueName: "name=value"),
        transform: LimitFlag.init(parsing:))
    var limit: [LimitFlag] = []

    /// The texts of every setting that was given; the last of a limit's.
    var given: [[String]: [String]] {
        let single = [
            "config": config, "listen": listen, "data-dir": dataDir, "memory": memory, "durability": durability,
            "receipt-window": receiptWindow, "snapshot-after": snapshotAfter, "log-level": logLevel,
            "insecure-no-auth": insecureNoAuth ? "true" : nil,
        ].compactMapValues { $0.map { [$0] } }
        let lists = ["allow-host": allowHost, "without-model": withoutModel].filter { !$0.value.isEmpty }
        var given: [[String]: [String]] = [:]
        for (name, texts) in single.merging(lists, uniquingKeysWith: { first, _ in first }) { given[[name]] = texts }
        for flag in limit { given[flag.setting.path] = [flag.value] }
        return given
    }
}

/// A limit and the text that replaces its default.
struct LimitFlag: Sendable {
    let setting: Setting
    let value: String

    /// - Throws: `ValidationError` that names the limits.
    init(parsing argument: String) throws {
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        let settable = Setting.limits.filter { $0.kind.form != .fixed }
        guard parts.count == 2, let setting = settable.first(where: { $0.name == parts[0] }) else {
            throw ValidationError(
                "write NAME=VALUE, where NAME is one of \(settable.map(\.name).joined(separator: ", "))")
        }
        (self.setting, value) = (setting, parts[1])
    }
}

extension ArgumentHelp {
    /// The row of a setting as the help prints it.
    fileprivate static func of(_ name: String) -> ArgumentHelp {
        guard let setting = Setting.settings.first(where: { $0.name == name }) else { return "" }
        let hasDefault = setting.kind.form == .one && !setting.builtIn.isEmpty
        let builtIn = hasDefault ? " (default: \(setting.builtIn))" : ""
        return ArgumentHelp("\(setting.meaning)\(builtIn)", valueName: setting.unit.isEmpty ? nil : setting.unit)
    }
}
