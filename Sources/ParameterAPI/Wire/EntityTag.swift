// Strong ETags: uid, version and representation. A model that is created anew has another uid, so that an old tag can
// never match it; two representations or selections of one version have two tags.

import HTTPServing
import ParameterServing

/// The tag of one representation of one version.
struct EntityTag: Equatable {
    let text: String

    init(_ version: PublishedVersion, _ representation: String) {
        text = "\"\(version.uid).\(version.version).\(representation)\""
    }

    /// Whether `If-None-Match` names this tag.
    ///
    /// Source: RFC 9110, section 13.1.2 (weak comparison).
    func matches(ifNoneMatch header: String?) -> Bool {
        guard let header else { return false }
        return header.split(separator: ",").contains { candidate in
            let tag = candidate.trimmingSpaces()
            return tag == "*" || tag == text || tag == "W/" + text
        }
    }

    /// The version that an `If-Match` names for the model `uid`; nil when the header is absent or `*`.
    ///
    /// - Throws: `preconditionFailed` for a tag that is not of this model.
    static func version(ifMatch header: String?, of model: Model) throws(Problem) -> Int? {
        guard let header = header?.prefix(200)[...].trimmingSpaces(), header != "*" else { return nil }
        let parts = header.filter { $0 != "\"" }.split(separator: ".")
        guard parts.count >= 2, parts[0] == model.uid.description, let version = Int(parts[1]) else {
            throw Problem(
                .preconditionFailed, "If-Match \(header) is no tag of this model; GET it for the current one.")
        }
        return version
    }
}

/// A short text that tells two selections of parameters apart, for tags and caches.
func digest(of text: String) -> String {
    // FNV-1a: the tag only has to differ between the selections of one version.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return String(hash, radix: 36)
}
