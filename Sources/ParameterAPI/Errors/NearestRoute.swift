// The path that was probably meant: each route is aligned with the path segment by segment, where a literal may be
// misspelled, the prefix missing and an empty segment (a trailing slash) extra. Wagner-Fischer's table, over segments.

import HTTPServing
import Names
import Optimizers

/// Suggestions for a path that does not exist.
enum NearestRoute {
    /// Paths with more segments than any route are not examined.
    private static let longest = 12
    /// Allows a missing prefix and a misspelled literal, in addition to two arguments.
    private static let farthest = 7

    /// "did you mean /v1/models/demo/lr?", or where the paths are listed.
    static func hint(for request: Request, among routes: [Route]) -> String {
        let path = segments(of: request)
        let near = path.count > longest ? [] : routes.compactMap { alignment(of: path, with: $0) }
        guard let best = near.min(by: { $0.cost < $1.cost }), best.cost <= farthest else {
            return "GET /openapi.json lists every path, GET / shows the first commands."
        }
        return "did you mean /\(best.path.joined(separator: "/"))?"
    }

    /// A route aligned with the first segments of a path: the distance, and the corrected path.
    private struct Alignment {
        var cost = 0
        var path: [String] = []

        func adding(_ segment: String, cost more: Int) -> Alignment {
            Alignment(cost: cost + more, path: path + [segment])
        }
    }

    /// The path's segments as written, so that a suggestion can be pasted.
    private static func segments(of request: Request) -> [String] {
        let path = request.target.prefix { $0 != "?" }
        return path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { String($0.prefix(200)) }
    }

    private static func alignment(of path: [String], with route: Route) -> Alignment? {
        var row: [Alignment?] = [Alignment()] + route.template.map { _ in nil }
        if route.template[0] == "v1" { row[1] = Alignment(cost: 3, path: ["v1"]) }
        for segment in path {
            var next: [Alignment?] = [segment.isEmpty ? row[0] : nil]
            for (place, pattern) in route.template.enumerated() {
                let isLast = place == route.template.count - 1
                let names = isLast ? [pattern] + route.suffixes.map { "\(pattern).\($0.rawValue)" } : [pattern]
                let ways = [
                    row[place].flatMap { taken(segment, as: names, after: $0) },
                    segment.isEmpty ? row[place + 1] : nil,
                ]
                next.append(ways.compactMap { $0 }.min { $0.cost < $1.cost })
            }
            row = next
        }
        return row.last ?? nil
    }

    private static func taken(_ segment: String, as names: [String], after alignment: Alignment) -> Alignment? {
        if names[0].hasPrefix("{") { return segment.isEmpty ? nil : alignment.adding(segment, cost: 1) }
        if names.contains(segment) { return alignment.adding(segment, cost: 0) }
        guard !segment.isEmpty, let near = NearestNames.of(Name(segment), among: names.map { Name($0) }).first?.text,
            !Set(segment.lowercased()).isDisjoint(with: near)
        else { return nil }
        return alignment.adding(near, cost: 2)
    }
}
