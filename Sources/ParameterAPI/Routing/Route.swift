// One row per endpoint. The row's path is the one in the contract; a test compares the two.

import HTTPServing
import Names

/// What a token has to be good for; as long as there are none, everybody has all of it.
enum Scope: String {
    /// Asked without a token too.
    case none
    /// Looking at models.
    case read
    /// A worker's part.
    case push
    /// Changing models and the server.
    case admin
}

/// A method and a path with the endpoint behind them.
struct Route: Sendable {
    let method: Method
    /// Segments as in the contract: literals and `{names}`.
    let template: [String]
    /// What the last segment may end in, such as `.csv`; it chooses the representation.
    let suffixes: [WireFormat]
    /// Who may ask.
    let scope: Scope
    /// The query arguments that it takes; nil where it passes over whatever there is.
    let queries: [Query]?
    /// The formats of bodies that it reads.
    let bodies: [WireFormat]
    /// The formats of its answers, apart from problems; none for an answer without a body.
    let answers: [WireFormat]
    /// What it does, in the words of the contract.
    let summary: String
    let endpoint: @Sendable (Call) throws(Problem) -> Plan

    /// Makes a row; `path` is written as in the contract, `suffixes` beside it.
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
