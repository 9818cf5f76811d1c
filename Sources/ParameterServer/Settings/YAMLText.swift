// The text of a settings file on its way to a tree. Yams stops at the first line that it cannot read and at the first key
// that is set twice; here such a line is noted and left out, so that the rest is checked in the same go.

import Yams

/// A YAML text that is read in spite of mistakes.
struct YAMLText {
    private var lines: [String]
    /// Whether the text ends before a line that cannot be read.
    private var isCut = false
    /// What is wrong with the text, beside the meaning of its keys.
    private(set) var mistakes: [(line: Int, text: String)] = []

    /// Begins a key that is set aside, as often as there have been any: no two of them are equal.
    private static let mark = "\u{E000}"
    /// The most keys that are set aside; every one costs a pass over the text.
    private static let mostPasses = 100

    init(_ text: String) {
        lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
    }

    /// Whether a key was there again further down, which has been noted.
    static func isSetAside(_ key: Node) -> Bool { key.string?.hasPrefix(mark) ?? false }

    /// The tree of all that can be read; nil where that is nothing.
    mutating func root() -> Node? {
        for pass in 1...Self.mostPasses {
            do { return try compose(yaml: lines.joined(separator: "\n")) } catch {
                guard let error = error as? YamlError, leaveOut(error, pass) else { return nil }
            }
        }
        return nil
    }

    /// Notes a mistake, and changes the text so that what is left can be read without it.
    private mutating func leaveOut(_ error: YamlError, _ pass: Int) -> Bool {
        switch error {
        case .duplicatedKeysInMapping(let names, let context):
            note(context.mark.line, "\(names.first ?? "") is set more than once, first here. Keep one of the lines.")
            return setAside(context.mark, String(repeating: Self.mark, count: pass))
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            note(
                mark.line, "invalid YAML: \(problem). Quote values that contain `: ` or begin with *, &, [, {, % or @.")
            return cut(before: mark.line)
        default:
            note(1, "invalid YAML: \(error)")
            return false
        }
    }

    /// Notes a mistake once; of lines that cannot be read only the first, since the cut there can break what is before.
    private mutating func note(_ line: Int, _ text: String) {
        if isCut && text.hasPrefix("invalid") || mistakes.contains(where: { $0.text == text }) { return }
        mistakes.append((line, text))
    }

    private mutating func setAside(_ mark: Mark, _ prefix: String) -> Bool {
        guard lines.indices.contains(mark.line - 1) else { return false }
        let line = lines[mark.line - 1].unicodeScalars
        lines[mark.line - 1] = String(line.prefix(mark.column - 1)) + prefix + String(line.dropFirst(mark.column - 1))
        return true
    }

    /// Keeps what is above a line, or less where the text ends before it: a bracket is open.
    private mutating func cut(before line: Int) -> Bool {
        isCut = true
        lines.removeSubrange(max(0, min(line, lines.count) - 1)...)
        return !lines.isEmpty
    }
}
