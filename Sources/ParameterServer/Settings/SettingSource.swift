// The sources of settings: the command line, the environment, a file. Each is a provider of swift-configuration and
// knows where every value was written.

import Configuration
import Names
import Optimizers

/// Where the value of a setting was written.
enum Origin: Equatable, CustomStringConvertible, Sendable {
    case builtIn
    case flag
    case environment
    case file(path: String, line: Int)
    /// Part of the contract: it cannot be written anywhere.
    case fixed

    var description: String {
        switch self {
        case .builtIn: "(default)"
        case .flag: "(flag)"
        case .environment: "(environment)"
        case .file(let path, let line): "(\(path):\(line))"
        case .fixed: "(fixed)"
        }
    }

    /// The start of a refusal: the place, then the setting's name there.
    func subject(_ setting: Setting) -> String {
        switch self {
        case .builtIn, .flag, .fixed: setting.flag
        case .environment: setting.variable
        case .file(let path, let line): "\(path):\(line): \(setting.path.joined(separator: "."))"
        }
    }
}

/// A mistake in a source: a sentence with the place and the correction.
struct SettingMistake {
    let text: String
    /// The line in a file.
    let line: Int
    /// The exit status of a start with this mistake.
    let status: ExitStatus

    init(_ text: String, line: Int = 0, status: ExitStatus = .configuration) {
        (self.text, self.line, self.status) = (text, line, status)
    }
}

/// A source of settings.
struct SettingSource {
    let provider: any ConfigProvider
    /// The origin of a setting in this source.
    let origin: (Setting) -> Origin
    /// Mistakes other than wrong values.
    var mistakes: [SettingMistake] = []

    /// The texts of a setting; nil if this source does not have it.
    func texts(of setting: Setting) -> [String]? {
        let type: ConfigType = setting.kind.form == .list ? .stringArray : .string
        return switch try? provider.value(forKey: setting.key, type: type).value?.content {
        case .string(let text): [text]
        case .stringArray(let texts): texts
        default: nil
        }
    }

    /// The settings on the command line; a `--limit` with an unknown name is a mistake.
    static func flags(_ flags: Flags) -> SettingSource {
        let settable = Setting.limits.filter { $0.kind.form != .fixed }
        var (given, mistakes) = (flags.given, [SettingMistake]())
        for argument in flags.limits {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2, let limit = settable.first(where: { $0.name == parts[0] }) {
                given[limit.path] = [parts[1]]
            } else {
                let names = settable.map(\.name).joined(separator: ", ")
                let text = "--limit must be NAME=VALUE, not `\(argument)`, where NAME is one of \(names)."
                mistakes.append(SettingMistake(text, status: .usage))
            }
        }
        return SettingSource(
            provider: InMemoryProvider(name: "flags", values: values(given)), origin: { _ in .flag }, mistakes: mistakes
        )
    }

    /// The settings in environment variables; an unknown variable with their prefix is a mistake.
    static func environment(_ variables: [String: String]) -> SettingSource {
        let own = variables.filter { $0.key.hasPrefix("PARAMD_") && !isForeign($0.key) }
        let known = Setting.all.map { Name($0.variable) }
        let unknown = own.keys.map { Name($0) }.filter { !known.contains($0) }.sorted()
        return SettingSource(
            provider: EnvironmentVariablesProvider(environmentVariables: own).prefixKeys(with: "paramd"),
            origin: { _ in .environment },
            mistakes: unknown.map { name in
                SettingMistake(
                    "\(name) is not a setting: \(NearestNames.hint(name, among: known)) Unset it, or rename it.")
            })
    }

    /// Makes a provider from texts by path.
    static func values(_ texts: [[String]: [String]]) -> [AbsoluteConfigKey: ConfigValue] {
        let lists = Set(Setting.all.filter { $0.kind.form == .list }.map(\.path))
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for (path, texts) in texts {
            let content: ConfigContent = lists.contains(path) ? .stringArray(texts) : .string(texts.joined())
            values[AbsoluteConfigKey(path)] = ConfigValue(content, isSecret: false)
        }
        return values
    }

    /// Variables for other purposes: tests and tools of this repository, and Kubernetes, which sets
    /// `PARAMD_SERVICE_HOST`, `PARAMD_PORT` and similar ones in every container if a service is named paramd.
    private static func isForeign(_ variable: String) -> Bool {
        ownVariables.contains(variable) || variable == "PARAMD_PORT"
            || variable.hasPrefix("PARAMD_SERVICE_") || variable.hasPrefix("PARAMD_PORT_")
    }

    /// Variables that tests and tools of this repository read.
    private static let ownVariables: Set = [
        "PARAMD_BIN", "PARAMD_FAIL", "PARAMD_GOLDEN", "PARAMD_RECORD_GOLDEN", "PARAMD_SEEDS", "PARAMD_STATES",
        "PARAMD_STRIDE", "PARAMD_WRITE_ERRORS", "PARAMD_WRITE_SCENARIOS",
    ]
}
