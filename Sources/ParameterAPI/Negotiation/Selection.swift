// The parameters of a pull, and their format.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// The format of a pull's answer.
enum Representation: String, AnswerForm {
    case json
    case safetensors

    var format: WireFormat {
        switch self {
        case .json: .json
        case .safetensors: .safetensors
        }
    }

    /// Refuses arguments that only apply to JSON.
    func check(_ call: Call) throws(Problem) {
        guard self == .safetensors else { return }
        try call.forbidQueries(.encoding, because: "only applies to JSON; leave it out, or ask for JSON.")
        if try call.flag(.metaOnly) {
            try call.forbidQueries(
                .metaOnly, because: "returns shapes without data, which a safetensors file cannot hold; ask for JSON."
            )
        }
    }
}

extension Call {
    /// The part of the query that selects parameters, as written; a permanent name repeats it.
    var selectionQuery: String {
        let names = Query.selection.map(\.rawValue)
        let query = request.target.split(separator: "?", maxSplits: 1).dropFirst().first ?? ""
        let kept = zip(request.query, query.split(separator: "&")).filter { names.contains($0.0.name) }.map(\.1)
        return kept.isEmpty ? "" : "?" + kept.joined(separator: "&")
    }
}

/// The parameters of a pull, and the encoding of their numbers.
struct Selection {
    /// Indices in update order.
    let indices: [Int]
    /// The only group requested, for the order in which waiting pulls are woken.
    let group: Int?
    /// The average to pull instead of the parameters themselves.
    let average: Name?
    let encoding: TensorEncoding
    let representation: Representation
    /// Distinguishes selections in tags and caches.
    let key: String
    /// The version of the layout that the indices are for.
    let layoutVersion: Int

    /// Reads `group`, `name` and `average`, and the arguments of `TensorEncoding`.
    ///
    /// - Throws: `notFound` for a group or a plain name that the model lacks, `invalidQuery` for unknown values.
    init(_ call: Call, _ facts: ModelFacts) throws(Problem) {
        let layout = facts.layout
        layoutVersion = facts.layoutChanges.version
        representation = try Representation(call)
        try representation.check(call)
        let groups = try call.values(of: .group).map { name throws(Problem) in try Self.group(Name(name), layout) }
        let names = call.values(of: .name).map { Name($0) }
        indices = try Self.indices(groups, names, layout)
        group = groups.count == 1 ? groups[0] : nil
        average = try call.average(of: facts)
        encoding = try TensorEncoding(call)
        let form = (average.map { "\($0)-" } ?? "") + (representation == .json ? "j" : "st") + encoding.key
        let isAll = indices.count == layout.parameters.count
        // Depends on the result, not the patterns: other patterns for the same parameters must not fill the cache.
        key = isAll ? form : "\(form)-\(digest(of: indices.map(String.init).joined(separator: ",")))"
    }

    private static func group(_ name: Name, _ layout: ArenaLayout) throws(Problem) -> Int {
        guard let index = layout.groupIndex(of: name) else {
            let hint = NearestNames.hint(name, among: layout.groups.lazy.map(\.name))
            throw Problem(.notFound, "The model has no group `\(name)`; \(hint)")
        }
        return index
    }

    private static func indices(_ groups: [Int], _ names: [Name], _ layout: ArenaLayout) throws(Problem) -> [Int] {
        let isInGroup = groups.isEmpty ? nil : Set(groups)
        let named = names.isEmpty ? nil : try places(of: names, layout)
        return layout.parameters.indices.filter { index in
            let group = layout.parameters[index].groupIndex
            return (isInGroup.map { set in group.map(set.contains) ?? false } ?? true) && named?.contains(index) ?? true
        }
    }

    /// The indices that names and patterns select.
    private static func places(of names: [Name], _ layout: ArenaLayout) throws(Problem) -> Set<Int> {
        var places = Set<Int>()
        for name in names where !Glob.isPattern(name) { places.insert(try place(of: name, layout)) }
        let patterns = names.filter(Glob.isPattern)
        try check(patterns.count, layout)
        for pattern in patterns {
            let glob = Glob(pattern)
            let matching = layout.parameters.indices.filter { glob.matches(layout.parameters[$0].name) }
            if matching.isEmpty {
                let known = NearestNames.list(layout.parameters.lazy.map(\.name))
                throw Problem(.notFound, "The pattern `\(pattern)` matches no parameter; \(known)")
            }
            places.formUnion(matching)
        }
        return places
    }

    private static func place(of name: Name, _ layout: ArenaLayout) throws(Problem) -> Int {
        guard let index = layout.index(of: name) else {
            let hint = NearestNames.hint(name, among: layout.parameters.lazy.map(\.name))
            throw Problem(.notFound, "The model has no parameter `\(name)`; \(hint)")
        }
        return index
    }

    /// Refuses too many patterns: each is compared with every parameter.
    private static func check(_ patterns: Int, _ layout: ArenaLayout) throws(Problem) {
        let most = FixedLimits.pullMatches / max(1, layout.parameters.count)
        guard patterns > max(1, most) else { return }
        throw Problem(
            .invalidQuery,
            "The model has \(layout.parameters.count.counted("parameter", "parameters")), so a pull can have at most \(max(1, most).counted("pattern", "patterns")), not \(patterns); select by `group`, or send several requests."
        )
    }
}
