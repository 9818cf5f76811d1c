// One row of the tables: a setting or a limit, its names in every source, and the value behind it.

import Configuration

/// A setting of the daemon, told by `--help`, `/v1/server` and the README under one name.
struct Setting: Sendable {
    /// As in its flag, in a file and in `/v1/server`.
    let name: String
    /// One sentence; that of a limit is without its full stop.
    let meaning: String
    let kind: Kind
    /// What stands for the value in the help.
    let unit: String
    /// What is told of a default that depends on the machine.
    let initially: String?
    let isLimit: Bool

    /// A row of the table of settings.
    init(_ name: String, _ kind: Kind, unit: String = "", initially: String? = nil, _ meaning: String) {
        (self.name, self.kind, self.unit, self.initially, self.meaning) = (name, kind, unit, initially, meaning)
        isLimit = false
    }

    /// A row of the table of limits.
    init(limit name: String, _ kind: Kind, _ meaning: String) {
        (self.name, self.kind, self.meaning) = (name, kind, meaning)
        (unit, initially, isLimit) = ("value", nil, true)
    }

    /// Where it is in a file, under `limits` for a limit.
    var path: [String] { isLimit ? ["limits", name] : [name] }

    var key: AbsoluteConfigKey { AbsoluteConfigKey(path) }

    var flag: String { isLimit ? "--limit \(name)" : "--\(name)" }

    /// `PARAMD_` and the path, as the provider of the environment writes a key.
    var variable: String { (["paramd"] + path).joined(separator: "_").uppercased().replacing("-", with: "_") }

    /// The default as text.
    var builtIn: String { initially ?? kind.text(ServerConfiguration()) }
}
