// One row of the tables: a setting or a limit, its name in every source, and its value.

import Configuration

/// A setting of the daemon, under one name in `--help`, `/v1/server` and `api/settings.md`.
struct Setting: Sendable {
    /// The name in a flag, in a file and in `/v1/server`.
    let name: String
    /// One sentence; without a full stop for a limit.
    let meaning: String
    let kind: Kind
    /// The placeholder for the value in the help.
    let unit: String
    /// A description of a default that depends on the machine.
    let initially: String?
    let isLimit: Bool

    /// Makes a row of the table of settings.
    init(_ name: String, _ kind: Kind, unit: String = "", initially: String? = nil, _ meaning: String) {
        (self.name, self.kind, self.unit, self.initially, self.meaning) = (name, kind, unit, initially, meaning)
        isLimit = false
    }

    /// Makes a row of the table of limits.
    init(limit name: String, _ kind: Kind, _ meaning: String) {
        (self.name, self.kind, self.meaning) = (name, kind, meaning)
        (unit, initially, isLimit) = ("value", nil, true)
    }

    /// The path in a file, under `limits` for a limit.
    var path: [String] { isLimit ? ["limits", name] : [name] }

    var key: AbsoluteConfigKey { AbsoluteConfigKey(path) }

    var flag: String { isLimit ? "--limit \(name)" : "--\(name)" }

    /// `PARAMD_` and the path, in the form used by the environment's provider.
    var variable: String { (["paramd"] + path).joined(separator: "_").uppercased().replacing("-", with: "_") }

    /// The default as text.
    var builtIn: String { initially ?? kind.text(ServerConfiguration()) }
}
