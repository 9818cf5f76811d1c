// The names nearest to one that does not exist, so that every refusal can say what was probably meant.

import Names

/// Suggestions for a name that does not exist.
public enum NearestNames {
    /// Up to three of `candidates` that may be meant: what another library calls so, else the nearest in spelling, else
    /// those that begin so, or that follow a prefix such as `module.`.
    public static func of(_ name: Name, among candidates: some Sequence<Name>) -> [Name] {
        // A longer name is not a slip of the keyboard, and each step below takes the longer, the longer the name is.
        guard name.utf8.count <= 1024 else { return [] }
        let known = candidates.prefix(10_000)
        let meant = Aliases.meanings(of: name.text)
        let aliases = meant.flatMap { meaning in
            known.filter { [$0.text.folded, $0.text.foldedSchedule].contains(meaning) }
        }
        if !aliases.isEmpty { return Array(aliases.prefix(3)) }
        let near = nearest(name, among: known)
        return near.isEmpty ? related(name, among: known) : near
    }

    private static func nearest(_ name: Name, among candidates: some Sequence<Name>) -> [Name] {
        let wanted = Array(name.text.lowercased().utf8.prefix(64))
        // Between names of one or two letters a distance of two says nothing.
        let limit = wanted.count < 3 ? 1 : max(2, wanted.count / 3)
        var near: [(distance: Int, name: Name)] = []
        for candidate in candidates where abs(candidate.utf8.count - name.utf8.count) <= limit {
            let apart = distance(wanted, Array(candidate.text.lowercased().utf8.prefix(64)))
            if apart <= limit { near.append((apart, candidate)) }
        }
        near.sort { $0.distance == $1.distance ? $0.name < $1.name : $0.distance < $1.distance }
        return near.prefix(3).map { $0.name }
    }

    private static func related(_ name: Name, among candidates: some Sequence<Name>) -> [Name] {
        let wanted = Name(name.text.folded)
        guard wanted.utf8.count >= 3 else { return [] }
        let alike = candidates.filter {
            let folded = Name($0.text.folded)
            return folded.hasPrefix(wanted) || wanted.dropping(suffix: Name(".\(folded)")) != nil
        }
        return Array(alike.sorted().prefix(3))
    }

    /// "did you mean `momentum`?", or the list of names where none is near and there are few.
    public static func hint(_ name: Name, among candidates: some Sequence<Name>) -> String {
        let near = of(name, among: candidates)
        if !near.isEmpty { return "did you mean " + near.map { "`\($0)`" }.joined(separator: " or ") + "?" }
        return list(candidates)
    }

    /// "it knows `a`, `b`.": the names that there are, as many as fit in a sentence.
    public static func list(_ candidates: some Sequence<Name>) -> String {
        "it knows " + candidates.sorted().prefix(24).map { "`\($0)`" }.joined(separator: ", ") + "."
    }

    /// Levenshtein's distance: insertions, deletions and replacements between two names.
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let replaced = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}

extension String {
    /// The spelling under which optimizers and schedules are found: lower case, without `_`.
    var folded: String { lowercased().filter { $0 != "_" } }

    /// `folded` without a trailing "lr": CosineDecayLR, cosine_decay_lr and cosine_decay are one name.
    var foldedSchedule: String {
        let name = folded
        return name.hasSuffix("lr") ? String(name.dropLast(2)) : name
    }
}
