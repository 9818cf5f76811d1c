// What form a request target has, before anything of it is decoded (RFC 9112, 3.2). Used by the gate, which judges the
// authority of an absolute one by the host rule and hands the rest on.

/// A target as path and query, and the authority that stood before them.
struct TargetForm {
    /// The authority of an absolute target, which counts in place of Host; nil in every other form.
    let authority: String?
    /// The target in origin-form, `*` included; whatever it is where the form is none of HTTP's.
    let origin: String

    /// Takes a target apart.
    init(_ target: String) {
        let isOrigin = target.utf8.first == UInt8(ascii: "/")
        let schemes = isOrigin ? [] : ["http://", "https://"]
        guard let scheme = schemes.first(where: { Headers.begins(target, with: $0) }) else {
            (authority, origin) = (nil, target)
            return
        }
        let rest = target.dropFirst(scheme.count)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        authority = String(rest[..<end])
        let path = rest[end...]
        origin = path.hasPrefix("/") ? String(path) : "/" + path
    }
}
