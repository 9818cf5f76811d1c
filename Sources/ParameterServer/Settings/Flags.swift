// The command line: which flags were given, and with which texts. Every flag comes from the row of its setting, so the
// parser learns the flags at run time, from a mirror that this file makes from the table.

import ArgumentParser

/// The flags on a command line; nothing here has a default, so that a flag that was given is known as such.
struct Flags: ParsableArguments, CustomReflectable {
    /// The texts of every setting that was given, by its name.
    var given: [[String]: [String]] = [:]
    /// The texts of every `--limit`, as `name=value`.
    private(set) var limits: [String] = []

    /// Makes a command line without flags.
    init() {}

    /// Reads the value that the parser found for each option of the mirror.
    init(from decoder: any Decoder) throws {
        let found = try decoder.container(keyedBy: OptionKey.self)
        for setting in Setting.settings {
            let key = OptionKey(stringValue: setting.name)
            switch setting.kind.form {
            case .list: given[setting.path] = try found.decode([String].self, forKey: key)
            case .yes: given[setting.path] = try found.decode(Bool.self, forKey: key) ? ["true"] : []
            case .one, .fixed: given[setting.path] = try found.decodeIfPresent(String.self, forKey: key).map { [$0] }
            }
        }
        given = given.filter { !$0.value.isEmpty }
        limits = try found.decode([String].self, forKey: OptionKey(stringValue: "limit"))
    }

    /// The options that the parser looks for.
    var customMirror: Mirror {
        let limit = Option<[String]>(
            wrappedValue: [],
            help: ArgumentHelp("Change a limit from the table above; may be repeated.", valueName: "name=value"))
        return Mirror(self, children: Setting.settings.map { ($0.name, $0.option) } + [("limit", limit)])
    }

    /// The name of an option, which is the name of its setting.
    private struct OptionKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

extension Setting {
    /// The option of a row, for the parser and the help.
    fileprivate var option: Any {
        let hasDefault = kind.form == .one && !builtIn.isEmpty
        let text = "\(meaning)\(hasDefault ? " (default: \(builtIn))" : "")"
        let help = ArgumentHelp(text, valueName: unit.isEmpty ? nil : unit)
        return switch kind.form {
        case .yes: Flag(wrappedValue: false, help: help)
        case .list: Option<[String]>(wrappedValue: [], help: help)
        case .one, .fixed: Option<String?>(parsing: kind.isNumber ? .unconditional : .next, help: help)
        }
    }
}
