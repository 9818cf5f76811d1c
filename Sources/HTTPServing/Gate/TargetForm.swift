// The form of a request target, before it is decoded (RFC 9112, 3.2). Used by the gate, which checks the authority of
// an absolute target against the host rule and passes the rest on.

/// A target as path and query, and the authority before them.
struct TargetForm {
    /// The authority of an absolute target, which replaces Host; nil in every other form.
    let authority: String?
    /// The target in origin-form, including `*`; unchanged if its form is not one of HTTP's.
    let origin: String

    /// Splits a target.
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
