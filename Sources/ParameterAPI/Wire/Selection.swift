// Which parameters a pull wants, and how they are written.

import HTTPServing
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
        self = try Representation.accepted(call.request.headers["Accept"])
    }

    private static func accepted(_ header: String?) throws(Problem) -> Representation {
        guard let header, !header.isEmpty else { return .json }
        for range in header.split(separator: ",") {
            let parts = range.split(separator: ";").map { $0.trimmingSpaces().lowercased() }
            if parts.contains(where: { $0 == "q=0" || $0 == "q=0.0" }) { continue }
            switch parts.first {
            case "application/vnd.safetensors", "application/octet-stream": return .safetensors
            case "application/json", "application/*", "*/*", "text/html", "text/*", "application/problem+json":
                return .json
            default: continue
            }
        }
        throw Problem(
            .notAcceptable,
            "Accept \(header.prefix(100)) cannot be met: ask for application/json or application/vnd.safetensors.")
    }
}

/// The parameters of a pull, with how their numbers are written.
struct Selection {
    /// Places in update order.
    let indices: [Int]
    /// The one group asked for, for the order in which waiting pulls are woken.
    let group: Int?
    let elementType: ElementType
    let isBase64: Bool
    let isMetaOnly: Bool
    let representation: Representation
    /// Tells selections apart in tags and caches.
    let key: String

    /// Reads `group`, `name`, `dtype`, `encoding` and `meta_only`.
    ///
    /// - Throws: `notFound` for a group or a plain name that the model lacks, `invalidQuery` for unknown values.
    init(_ call: Call, layout: ArenaLayout) throws(Problem) {
        representation = try Representation(call)
        let groups = try call.queries("group").map { name throws(Problem) in try Self.group(name, layout) }
        let names = call.queries("name")
        indices = try Self.indices(groups, names, layout)
        group = groups.count == 1 ? groups[0] : nil
        elementType = try Self.elementType(call)
        isBase64 = try Self.isBase64(call)
        isMetaOnly = try call.flag("meta_only")
        let choice = (groups.map { "g\($0)" } + names.map { "n\($0)" }).joined(separator: "&")
        let form =
            "\(representation == .json ? "j" : "st")\(elementType == .float32 ? "" : "-\(elementType.rawValue)")\(isBase64 ? "-b" : "")\(isMetaOnly ? "-m" : "")"
        key = choice.isEmpty ? form : "\(form)-\(digest(of: choice))"
    }

    /// Whether every parameter is asked for, so that the whole arena can be sent.
    func isWhole(of layout: ArenaLayout) -> Bool { indices.count == layout.parameters.count }

    private static func group(_ name: String, _ layout: ArenaLayout) throws(Problem) -> Int {
        guard let index = layout.groups.firstIndex(where: { $0.name == name }) else {
            throw Problem(
                .notFound,
                "The model has no group `\(name)`; \(NearestNames.hint(name, among: layout.groups.map(\.name)))")
        }
        return index
    }

    private static func indices(_ groups: [Int], _ names: [String], _ layout: ArenaLayout) throws(Problem) -> [Int] {
        for name in names where !Glob.isPattern(name) && layout.index(of: name) == nil {
            throw Problem(
                .notFound,
                "The model has no parameter `\(name)`; \(NearestNames.hint(name, among: layout.parameters.map(\.name)))"
            )
        }
        return layout.parameters.indices.filter { index in
            let parameter = layout.parameters[index]
            let isInGroup = groups.isEmpty || groups.contains { $0 == parameter.groupIndex }
            return isInGroup && (names.isEmpty || names.contains { Glob($0).matches(parameter.name) })
        }
    }

    private static func elementType(_ call: Call) throws(Problem) -> ElementType {
        guard let text = call.query("dtype") else { return .float32 }
        switch ElementType(name: text) {
        case .float16?: return .float16
        case .bfloat16?: return .bfloat16
        case .float32?: return .float32
        default: throw Problem(.invalidQuery, "`dtype` is F32, F16 or BF16, not `\(text.prefix(40))`.")
        }
    }

    private static func isBase64(_ call: Call) throws(Problem) -> Bool {
        switch call.query("encoding") {
        case nil: return false
        case "b64": return true
        case .some(let text): throw Problem(.invalidQuery, "`encoding` is b64, not `\(text.prefix(40))`.")
        }
    }
}
