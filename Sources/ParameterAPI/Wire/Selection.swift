// Which parameters a pull wants, and how they are written.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// How a pull's answer is written.
enum Representation: String {
    case json
    case safetensors

    /// The representation that the suffix asks for, or else the Accept header; JSON when neither does.
    init(_ call: Call) throws(Problem) {
        if let suffix = call.suffix, let named = Representation(rawValue: suffix) {
            self = named
            return
        }
        self = try call.accepted([
            Offer(.json, "application/json", "text/html", "text/*", "application/problem+json"),
            Offer(.safetensors, "application/vnd.safetensors", "application/octet-stream"),
        ])
    }

    /// Refuses arguments that only JSON can follow.
    func check(_ call: Call) throws(Problem) {
        guard self == .safetensors else { return }
        try call.forbidQueries("encoding", because: "is about numbers in JSON; leave it out, or ask for JSON.")
        if try call.flag("meta_only") {
            try call.forbidQueries(
                "meta_only", because: "answers shapes without data, which a safetensors file cannot; ask for JSON.")
        }
    }
}

extension Call {
    /// The part of the query that chooses what is shown, as it was written: what a permanent name has to repeat.
    var selectionQuery: String {
        let names = ["group", "name", "dtype", "encoding", "meta_only"]
        let query = request.target.split(separator: "?", maxSplits: 1).dropFirst().first ?? ""
        let kept = query.split(separator: "&").filter { part in names.contains { part.hasPrefix("\($0)=") } }
        return kept.isEmpty ? "" : "?" + kept.joined(separator: "&")
    }
}

/// The parameters of a pull, with how their numbers are written.
struct Selection {
    /// Places in update order.
    let indices: [Int]
    /// The one group asked for, for the order in which waiting pulls are woken.
    let group: Int?
    let encoding: TensorEncoding
    let representation: Representation
    /// Tells selections apart in tags and caches.
    let key: String

    /// Reads `group` and `name`, and what `TensorEncoding` reads.
    ///
    /// - Throws: `notFound` for a group or a plain name that the model lacks, `invalidQuery` for unknown values.
    init(_ call: Call, layout: ArenaLayout) throws(Problem) {
        representation = try Representation(call)
        try representation.check(call)
        let groups = try call.queries("group").map { name throws(Problem) in try Self.group(Name(name), layout) }
        let names = call.queries("name").map { Name($0) }
        indices = try Self.indices(groups, names, layout)
        group = groups.count == 1 ? groups[0] : nil
        encoding = try TensorEncoding(call)
        let form = (representation == .json ? "j" : "st") + encoding.key
        let isAll = indices.count == layout.parameters.count
        // By what is chosen, not by how: other patterns for the same parameters must not fill the cache.
        key = isAll ? form : "\(form)-\(digest(of: indices.map(String.init).joined(separator: ",")))"
    }

    private static func group(_ name: Name, _ layout: ArenaLayout) throws(Problem) -> Int {
        guard let index = layout.groups.firstIndex(where: { $0.name == name }) else {
            throw Problem(
                .notFound,
                "The model has no group `\(name)`; \(NearestNames.hint(name, among: layout.groups.map(\.name)))")
        }
        return index
    }

    private static func indices(_ groups: [Int], _ names: [Name], _ layout: ArenaLayout) throws(Problem) -> [Int] {
        for name in names where !Glob.isPattern(name) && layout.index(of: name) == nil {
            throw Problem(
                .notFound,
                "The model has no parameter `\(name)`; \(NearestNames.hint(name, among: layout.parameters.map(\.name)))"
            )
        }
        for name in names where Glob.isPattern(name) {
            let glob = Glob(name)
            if layout.parameters.contains(where: { glob.matches($0.name) }) { continue }
            throw Problem(
                .notFound,
                "The pattern `\(name)` matches no parameter; \(NearestNames.list(layout.parameters.map(\.name)))")
        }
        return layout.parameters.indices.filter { index in
            let parameter = layout.parameters[index]
            let isInGroup = groups.isEmpty || groups.contains { $0 == parameter.groupIndex }
            return isInGroup && (names.isEmpty || names.contains { Glob($0).matches(parameter.name) })
        }
    }
}
