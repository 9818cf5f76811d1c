// A settings file: YAML, which includes JSON. Yams knows the line of every key, so each mistake is reported with its
// line; the table defines the meaning of values.

import Configuration
import Glibc
import Names
import Optimizers
import Yams

/// The content of a settings file.
struct SettingFile {
    private let path: String
    private var texts: [[String]: [String]] = [:]
    private var lines: [[String]: Int] = [:]
    private var mistakes: [SettingMistake] = []

    /// The largest file that is read.
    static let mostBytes = 1 << 20

    /// Reads a file.
    ///
    /// Mistakes other than wrong values are in the source's `mistakes`.
    static func source(_ path: String) -> SettingSource {
        var file = SettingFile(path: path.hasPrefix("/") ? path : absolutePath(of: path))
        file.read()
        let (lines, absolute) = (file.lines, file.path)
        return SettingSource(
            provider: InMemoryProvider(name: absolute, values: SettingSource.values(file.texts)),
            origin: { .file(path: absolute, line: lines[$0.path] ?? 1) }, mistakes: file.mistakes)
    }

    private init(path: String) { self.path = path }

    private mutating func read() {
        do throws(UnreadableFile) {
            var text = YAMLText(try readText(path, most: Self.mostBytes))
            let root = text.root()
            for mistake in text.mistakes { complain(mistake.line, mistake.text) }
            guard let root, !YAMLText.isNull(root) else { return }
            guard let members = root.mapping else {
                return complain(root, "a settings file has one line `name: value` for each setting. Write such lines.")
            }
            take(members, under: [])
        } catch {
            let reason = error.code == EFBIG ? "it is longer than \(Self.mostBytes) bytes" : error.reason
            mistakes.append(
                SettingMistake("\(path) cannot be read (\(reason)). Use a settings file that this user can read."))
        }
    }

    /// Reads the members of a mapping, each of which must be a setting.
    private mutating func take(_ members: Node.Mapping, under prefix: [String]) {
        for (key, value) in members where !YAMLText.isSetAside(key) {
            guard let name = key.string else {
                complain(key, "a name must be text, not a list or a mapping.")
                continue
            }
            let memberPath = prefix + [name]
            if memberPath == ["limits"] {
                takeLimits(value, key)
            } else if let setting = Setting.inFile.first(where: { $0.path == memberPath }) {
                take(value, of: setting, key)
            } else {
                complain(key, Self.unknown(name, under: prefix))
            }
        }
    }

    private mutating func takeLimits(_ value: Node, _ key: Node) {
        if let limits = value.mapping { return take(limits, under: ["limits"]) }
        complain(key, "limits must contain `name: value` lines, as in `limits: {models: 10000}`.")
    }

    private mutating func take(_ value: Node, of setting: Setting, _ key: Node) {
        let name = setting.path.joined(separator: ".")
        switch (setting.kind.form, value) {
        case _ where YAMLText.isNull(value):
            return complain(key, "\(name) has no value. Write one, or leave the line out.")
        case (.list, .sequence(let items)):
            let scalars = items.compactMap { $0.scalar?.string }
            guard scalars.count == items.count else {
                return complain(key, "\(name) must be a list of texts, such as [a, b], without nested lists.")
            }
            texts[setting.path] = scalars
        case (.list, _):
            return complain(key, "\(name) must be a list. Write `\(name): [\(value.scalar?.string ?? "a, b")]`.")
        case (_, .scalar(let scalar)): texts[setting.path] = [scalar.string]
        default:
            let example = setting.kind.text(ServerConfiguration())
            return complain(key, "\(name) must be one value, not a list or a mapping. Write `\(name): \(example)`.")
        }
        lines[setting.path] = key.mark?.line
    }

    private mutating func complain(_ node: Node, _ text: String) { complain(node.mark?.line ?? 1, text) }

    private mutating func complain(_ line: Int, _ text: String) {
        mistakes.append(SettingMistake("\(path):\(line): \(text)", line: line))
    }

    private static func unknown(_ name: String, under prefix: [String]) -> String {
        let known =
            Setting.inFile.filter { $0.path.dropLast() == prefix[...] }.map(\.name) + (prefix.isEmpty ? ["limits"] : [])
        let place = (prefix + [name]).joined(separator: ".")
        if let setting = Setting.inFile.first(where: { $0.name == name }) {
            return setting.isLimit
                ? "\(name) is a limit. Move it under `limits:`."
                : "\(place) is not a limit. Move \(name) to the top level, outside `limits:`."
        }
        return "\(place) is not a setting: \(NearestNames.hint(Name(name), among: known.map { Name($0) }))"
    }
}

extension Setting {
    /// The settings that a file may contain.
    fileprivate static let inFile = all.filter { $0.name != "config" }
}
