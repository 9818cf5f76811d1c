// The text of a settings file before it is parsed. Yams stops at the first line that it cannot read and at the first
// key that is set twice; this type reports it and works around it, so that the rest is checked in the same run.

import Yams

/// A YAML text that is read as far as possible despite its mistakes.
struct YAMLText {
    private var lines: [String]
    /// Whether the text was cut before a line that cannot be read.
    private var isCut = false
    /// The mistakes of the text itself, not of the values of its keys.
    private(set) var mistakes: [(line: Int, text: String)] = []

    /// The prefix of a key that is set aside, repeated once more for each pass, so that no two such keys are equal.
    private static let mark = "\u{E000}"
    /// The most keys that are set aside; each costs a pass over the text.
    private static let mostPasses = 100

    init(_ text: String) {
        lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
    }

    /// Whether a key was set aside because the same key is set again further down, a mistake that has been reported.
    static func isSetAside(_ key: Node) -> Bool { key.string?.hasPrefix(mark) ?? false }

    /// The tree of everything that can be read; nil if nothing can.
    mutating func root() -> Node? {
        for pass in 1...Self.mostPasses {
            do {
                let root = try compose(yaml: lines.joined(separator: "\n"))
                return isCut ? root.flatMap(Self.withoutOpenKey) : root
            } catch {
                guard let error = error as? YamlError, leaveOut(error, pass) else { return nil }
            }
        }
        return nil
    }

    /// A tree without the key at its end, if that has no value: the value may be in the lines that were cut off.
    private static func withoutOpenKey(_ node: Node) -> Node? {
        if isNull(node) { return nil }
        guard case .mapping(var members) = node, let last = Array(members).last else { return node }
        members[last.key] = withoutOpenKey(last.value)
        return members.isEmpty ? nil : .mapping(members)
    }

    /// Whether a node is YAML's null or missing.
    static func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// Records a mistake and changes the text so that the rest can be read; false if nothing would be left.
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

    /// Records each mistake once, and only the first unreadable line: the cut there can make earlier lines unreadable.
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

    /// Keeps the lines above a line; fewer if the text ends earlier, as it does after a bracket that is not closed.
    private mutating func cut(before line: Int) -> Bool {
        isCut = true
        lines.removeSubrange(max(0, min(line, lines.count) - 1)...)
        return !lines.isEmpty
    }
}
