// One row per endpoint. The row's path is the one in the contract; a test compares the two.

import HTTPServing
import Names

/// A method and a path with the endpoint behind them.
struct Route: Sendable {
    let method: Method
    /// Segments as in the contract: literals and `{names}`.
    let template: [String]
    /// Suffixes that the last segment may carry, such as `csv`; they choose the representation.
    let suffixes: [String]
    let endpoint: @Sendable (Call) throws(Problem) -> Plan

    /// Makes a row; `path` is written as in the contract, `suffixes` beside it.
    init(
        _ method: Method, _ path: String, suffixes: [String] = [],
        _ endpoint: @escaping @Sendable (Call) throws(Problem) -> Plan
    ) {
        self.method = method
        self.template = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        self.suffixes = suffixes
        self.endpoint = endpoint
    }

    /// The path as in the contract.
    var path: String { "/" + template.joined(separator: "/") }

    /// The arguments and the suffix that make `path` fit the template; nil if it does not.
    func match(_ path: [String]) -> (arguments: [String: String], suffix: String?)? {
        guard path.count == template.count else { return nil }
        var arguments: [String: String] = [:]
        var suffix: String?
        for (position, (pattern, segment)) in zip(template, path).enumerated() {
            if pattern.hasPrefix("{") {
                guard !segment.isEmpty else { return nil }
                var value = Name(segment)
                if position == template.count - 1 {
                    for candidate in suffixes where suffix == nil {
                        guard let rest = value.dropping(suffix: Name(".\(candidate)")) else { continue }
                        (suffix, value) = (candidate, rest)
                    }
                }
                arguments[String(pattern.dropFirst().dropLast())] = value.text
            } else if pattern != segment {
                guard position == template.count - 1, let found = suffixOf(segment, after: pattern) else { return nil }
                suffix = found
            }
        }
        return (arguments, suffix)
    }

    private func suffixOf(_ segment: String, after literal: String) -> String? {
        suffixes.first { segment == "\(literal).\($0)" }
    }
}
