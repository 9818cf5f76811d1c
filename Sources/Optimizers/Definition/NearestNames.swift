// The names most similar to an unknown one, so that every refusal can suggest what was probably meant.

import Names

/// Suggestions for an unknown name.
public enum NearestNames {
    /// The number of candidates examined; each costs one step per leading byte.
    private static let mostCandidates = 10_000

    /// Up to three of `candidates` that may be meant: the equivalent of another library's name, else the nearest in
    /// spelling, else those that begin with the name or follow a prefix such as `module.`.
    public static func of(_ name: Name, among candidates: some Sequence<Name>) -> [Name] {
        // A longer name is not a typing mistake, and the steps below take time in proportion to its length.
        guard name.utf8.count <= 1024 else { return [] }
        let known = Array(candidates.prefix(mostCandidates))
        let aliases = Aliases.meanings(of: name.text).flatMap { meaning in
            // Schedules are also known with "lr" at the end.
            let forms = [FoldedName(meaning), FoldedName(meaning + "lr")]
            return known.filter { candidate in forms.contains { $0.equals(candidate) } }
        }
        if !aliases.isEmpty { return Array(aliases.prefix(3)) }
        let near = nearest(name, among: known)
        return near.isEmpty ? related(name, among: known) : near
    }

    private static func nearest(_ name: Name, among candidates: [Name]) -> [Name] {
        let spelling = SpellingDistance(from: name)
        // For names of one or two letters, a distance of two means nothing.
        let limit = spelling.count < 3 ? 1 : max(2, spelling.count / 3)
        var near: [(distance: Int, name: Name)] = []
        for candidate in candidates where abs(candidate.utf8.count - name.utf8.count) <= limit {
            let apart = spelling.distance(to: candidate)
            if apart <= limit { near.append((apart, candidate)) }
        }
        return first(3, of: near) { $0.distance == $1.distance ? $0.name < $1.name : $0.distance < $1.distance }
            .map(\.name)
    }

    private static func related(_ name: Name, among candidates: [Name]) -> [Name] {
        let wanted = FoldedName(name.text)
        guard wanted.count >= 3 else { return [] }
        return first(3, of: candidates.filter { wanted.begins($0) != .none || wanted.ends(with: $0) }, <)
    }

    /// The first names in order, without sorting all.
    private static func first<Element>(
        _ count: Int, of elements: some Sequence<Element>, _ precedes: (Element, Element) -> Bool
    ) -> [Element] {
        var first: [Element] = []
        for element in elements {
            if first.count == count, let last = first.last, !precedes(element, last) { continue }
            if first.count == count { first.removeLast() }
            first.insert(element, at: first.firstIndex { precedes(element, $0) } ?? first.count)
        }
        return first
    }

    /// "did you mean `momentum`?", or the list of names if none is similar and there are few.
    public static func hint(_ name: Name, among candidates: some Sequence<Name>) -> String {
        let near = of(name, among: candidates)
        if !near.isEmpty { return "did you mean " + near.map { "`\($0)`" }.joined(separator: " or ") + "?" }
        return list(candidates)
    }

    /// "use one of `a`, `b`.": as many names as fit in a sentence.
    public static func list(_ candidates: some Sequence<Name>) -> String {
        "use one of " + first(24, of: candidates, <).map { "`\($0)`" }.joined(separator: ", ") + "."
    }
}

extension String {
    /// The spelling used to look up optimizers and schedules: lower case, without `_`.
    var folded: String { lowercased().filter { $0 != "_" } }

    /// `folded` without a trailing "lr": CosineDecayLR, cosine_decay_lr and cosine_decay are the same name.
    var foldedSchedule: String {
        let name = folded
        return name.hasSuffix("lr") ? String(name.dropLast(2)) : name
    }
}
