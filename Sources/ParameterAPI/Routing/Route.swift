// One row per endpoint. The row's path is the one in the contract; a test compares the two.

import HTTPServing
import Names

/// The permission that a token will need; without authentication, everyone has all of them.
enum Scope: String {
    /// Available without a token.
    case none
    /// Reading models.
    case read
    /// The requests of a worker.
    case push
    /// Changing models and the server.
    case admin
}

/// A method and a path with their endpoint; a class, because every call refers to its row.
final class Route: Sendable {
    let method: Method
    /// Segments as in the contract: literals and `{names}`.
    let template: [String]
    /// The suffixes of the last segment, such as `.csv`, which choose the representation.
    let suffixes: [WireFormat]
    /// The required permission.
    let scope: Scope
    /// The query arguments that it accepts; nil if it ignores all.
    let queries: [Query]?
    /// The formats of bodies that it accepts.
    let bodies: [WireFormat]
    /// The formats of its answers, other than problems; empty for an answer without a body.
    let answers: [WireFormat]
    /// Its summary, as in the contract.
    let summary: String
    let endpoint: @Sendable (Call) throws(Problem) -> Plan

    /// Makes a row; `path` is written as in the contract, with `suffixes` separate.
    init(
        _ method: Method, _ path: String, suffixes: [WireFormat] = [], _ scope: Scope, queries: [Query]? = [],
        bodies: [WireFormat] = [], answers: [WireFormat] = [.json], _ summary: String,
        _ endpoint: @escaping @Sendable (Call) throws(Problem) -> Plan
    ) {
        self.method = method
        self.template = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        self.suffixes = suffixes
        (self.scope, self.queries, self.bodies, self.answers) = (scope, queries, bodies, answers)
        self.summary = summary
        self.endpoint = endpoint
    }

    /// The path as in the contract.
    var path: String { "/" + template.joined(separator: "/") }

    /// The arguments and the suffix with which `path` matches the template; nil if it does not match.
    func match(_ path: [String]) -> (arguments: [String: String], suffix: String?)? {
        guard path.count == template.count else { return nil }
        var arguments: [String: String] = [:]
        var suffix: String?
        for (position, (pattern, segment)) in zip(template, path).enumerated() {
            if pattern.hasPrefix("{") {
                guard !segment.isEmpty else { return nil }
                var value = Name(segment)
                if position == template.count - 1 {
                    for candidate in suffixes.map(\.rawValue) where suffix == nil {
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
        suffixes.map(\.rawValue).first { segment == "\(literal).\($0)" }
    }
}
