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
    private let segments: [Segment]
    /// The texts of a last literal with its suffixes.
    private let endings: [(text: String, suffix: String)]
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

    private enum Segment {
        case literal(String)
        case argument(String)

        init(_ text: String) {
            self = text.hasPrefix("{") ? .argument(String(text.dropFirst().dropLast())) : .literal(text)
        }
    }

    /// Makes a row; `path` is written as in the contract, with `suffixes` separate.
    init(
        _ method: Method, _ path: String, suffixes: [WireFormat] = [], _ scope: Scope, queries: [Query]? = [],
        bodies: [WireFormat] = [], answers: [WireFormat] = [.json], _ summary: String,
        _ endpoint: @escaping @Sendable (Call) throws(Problem) -> Plan
    ) {
        self.method = method
        self.template = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        segments = template.map(Segment.init)
        let last = template.last ?? ""
        endings = suffixes.map { ("\(last).\($0.rawValue)", $0.rawValue) }
        self.suffixes = suffixes
        (self.scope, self.queries, self.bodies, self.answers) = (scope, queries, bodies, answers)
        self.summary = summary
        self.endpoint = endpoint
    }

    /// The path as in the contract.
    var path: String { "/" + template.joined(separator: "/") }

    /// The arguments and the suffix with which `path` matches the template; nil if it does not match.
    func match(_ path: [String]) -> (arguments: [String: String], suffix: String?)? {
        guard path.count == segments.count else { return nil }
        var suffix: String?
        // Most rows differ in their last literal, so a request is compared from its end, before anything is made.
        for position in segments.indices.reversed() {
            guard case .literal(let text) = segments[position], text != path[position] else { continue }
            guard position == segments.count - 1, let found = endings.first(where: { $0.text == path[position] })
            else { return nil }
            suffix = found.suffix
        }
        return arguments(of: path, suffix)
    }

    private func arguments(of path: [String], _ found: String?) -> (arguments: [String: String], suffix: String?)? {
        var (arguments, suffix) = ([String: String](), found)
        for (position, segment) in segments.enumerated() {
            guard case .argument(let name) = segment else { continue }
            guard !path[position].isEmpty else { return nil }
            var value = Name(path[position])
            if position == segments.count - 1 {
                for candidate in suffixes.map(\.rawValue) where suffix == nil {
                    guard let rest = value.dropping(suffix: Name(".\(candidate)")) else { continue }
                    (suffix, value) = (candidate, rest)
                }
            }
            arguments[name] = value.text
        }
        return (arguments, suffix)
    }
}
