// The effective settings of a daemon: each from the first source that has it, flags before variables before the file
// before the default. All values of all sources are checked, including overridden ones.

import FoundationEssentials
import ParameterAPI

/// Settings with the origin of each value.
struct EffectiveSettings: Sendable {
    private(set) var configuration = ServerConfiguration()
    private var origins: [[String]: Origin] = [:]

    /// Reads the command line, the environment and the settings file.
    ///
    /// - Throws: `StartFailure`, which lists every mistake with its place and its correction.
    init(
        _ flags: Flags, environment variables: [String: String] = ProcessInfo.processInfo.environment
    ) throws(StartFailure) {
        var sources = [SettingSource.environment(variables), .flags(flags)]
        if let file = flags.given[["config"]]?.first ?? variables["PARAMD_CONFIG"] {
            sources.insert(SettingFile.source(file), at: 0)
        }
        try self.init(lastWins: sources)
    }

    private init(lastWins sources: [SettingSource]) throws(StartFailure) {
        var mistakes: [SettingMistake] = []
        for source in sources { mistakes += (source.mistakes + apply(source)).sorted { $0.line < $1.line } }
        guard let first = mistakes.first else { return }
        throw StartFailure(status: first.status, message: mistakes.map(\.text).joined(separator: "\nparamd: "))
    }

    /// Applies the values of a source, and returns its mistakes.
    private mutating func apply(_ source: SettingSource) -> [SettingMistake] {
        var mistakes: [SettingMistake] = []
        for setting in Setting.all {
            guard let texts = source.texts(of: setting) else { continue }
            let origin = source.origin(setting)
            do throws(Complaint) {
                try setting.kind.read(texts, &configuration)
                origins[setting.path] = origin
            } catch {
                let status = origin == .flag ? error.status : .configuration
                let line = if case .file(_, let line) = origin { line } else { 0 }
                mistakes.append(
                    SettingMistake("\(origin.subject(setting)) \(error.text)", line: line, status: status))
            }
        }
        return mistakes
    }

    /// The origin of a setting.
    func origin(of setting: Setting) -> Origin {
        setting.kind.form == .fixed ? .fixed : origins[setting.path] ?? .builtIn
    }

    /// The origin of the setting or limit with this name.
    func origin(_ name: String) -> Origin { Setting.all.first { $0.name == name }.map(origin(of:)) ?? .builtIn }

    /// The rows of `/v1/server`.
    var told: EffectiveConfiguration {
        EffectiveConfiguration(settings: Setting.settings.map(told), limits: Setting.limits.map(told))
    }

    private func told(_ setting: Setting) -> EffectiveSetting {
        let (origin, file, line): (String, String?, Int?) =
            switch origin(of: setting) {
            case .builtIn: ("default", nil, nil)
            case .flag: ("flag", nil, nil)
            case .environment: ("environment", nil, nil)
            case .file(let path, let line): ("file", path, line)
            case .fixed: ("fixed", nil, nil)
            }
        return EffectiveSetting(
            setting.name, text(of: setting), origin: origin, file: file, line: line,
            meaning: setting.isLimit ? setting.meaning : nil)
    }

    /// The value in a form that works anywhere on this machine.
    func text(of setting: Setting) -> String {
        let text = setting.kind.text(configuration)
        return setting.kind.isPath && !text.isEmpty ? absolutePath(of: text) : text
    }
}
