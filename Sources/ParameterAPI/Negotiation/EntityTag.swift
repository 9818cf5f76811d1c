// Strong ETags: uid, version and representation. A model that is created again has a new uid, so an old tag never
// matches it; two representations or selections of one version have different tags.

import HTTPServing
import Names
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
    func matches(ifNoneMatch headers: Headers) -> Bool {
        EntityTagList(headers.values(of: "If-None-Match")).tags.contains {
            $0 == "*" || $0 == text || $0 == "W/" + text
        }
    }
}

/// The tags of an `If-Match` or `If-None-Match`, which may have several lines.
struct EntityTagList {
    /// Each as written, including quotes and `W/`, or `*`.
    let tags: [String]

    init(_ values: [String]) {
        tags = values.flatMap { $0.parts(between: ",") }.map { $0.trimmingSpaces() }
    }

    /// How to get a tag that can match.
    ///
    /// Source: RFC 9110, section 8.8.3.2 (strong comparison).
    var advice: String {
        guard tags.contains(where: { $0.hasPrefix("W/") }) else { return "GET it for the current tag." }
        return
            "a weak tag (W/...) never matches: a proxy that compresses answers makes tags weak. GET it with Accept-Encoding: identity, or send the tag without W/ if the proxy does nothing but compress."
    }

    /// The versions of the model `uid` in the tags.
    ///
    /// The representation does not matter: a client that has seen one of them has seen the version. A weak tag matches
    /// nothing. Source: RFC 9110, section 13.1.1.
    func versions(of uid: ModelUID) -> [Int] {
        let uid = uid.description
        return tags.compactMap { tag in
            let parts = Substring(tag.utf8.drop { $0 == UInt8(ascii: "\"") }).parts(between: ".")
            return parts.count >= 2 && parts[0] == uid ? Int(digits: parts[1]) : nil
        }
    }
}

/// Lets a client revalidate its copy of a document.
struct Validators: Sendable {
    let headers: [(name: String, value: String)]
    /// Whether the client's copy is current.
    let hold: Bool

    /// The answer to a client with a current copy.
    var notModified: Response { Response(status: 304, headers: headers) }
}

extension Call {
    /// The validators of a document named `name`.
    ///
    /// JSON for people is indented: its bytes differ, so it has a different tag, and `Vary` tells caches.
    func validators(_ version: PublishedVersion, _ name: String, isJSON: Bool = true) -> Validators {
        let tag = EntityTag(version, isJSON && isIndented ? "\(name)-i" : name)
        let headers = [(name: "ETag", value: tag.text), (name: "Vary", value: "Accept, User-Agent")]
        return Validators(
            headers: headers + versionHeaders(version),
            hold: (request.method == .get || request.method == .head) && tag.matches(ifNoneMatch: request.headers))
    }

    /// Refuses a request whose `If-Match` the model does not meet when the head arrives.
    ///
    /// - Returns: the versions that are still to be checked: a request with a key may be a retry, whose precondition
    ///   was met the first time.
    /// - Throws: `preconditionFailed`.
    @discardableResult
    func checkMatch(_ model: Model) throws(Problem) -> [Int]? {
        guard let condition = try condition(on: model) else { return nil }
        if isKeyed { return condition.versions }
        do throws(ServingError) { try condition.check(model) } catch { throw Problem(error) }
        return nil
    }

    /// The versions that `If-Match` requires; nil without the header.
    ///
    /// - Throws: `preconditionFailed` if no tag can match the model, now or later.
    func condition(on model: Model) throws(Problem) -> ModelCondition? {
        let values = request.headers.values(of: "If-Match")
        if values.isEmpty { return nil }
        let list = EntityTagList(values)
        if list.tags == ["*"] { return ModelCondition(uid: model.uid) }
        let current = model.publication.current.version
        // Versions only rise, so versions before the current one can never match.
        let versions = Set(list.versions(of: model.uid)).filter { $0 >= current }.sorted()
            .prefix(FixedLimits.conditionVersions)
        // With a key the model decides: the request may be a retry, which names the version that it changed.
        guard !versions.isEmpty || isKeyed else {
            throw Problem(
                .preconditionFailed,
                "If-Match \(values.joined(separator: ", ").prefix(200)) does not match any version that `\(model.name)` can have now; \(list.advice)"
            )
        }
        return ModelCondition(uid: model.uid, versions: Array(versions))
    }
}

/// A short text that distinguishes two selections of parameters in tags and caches.
func digest(of text: String) -> String {
    let builder = Fingerprint.Builder()
    builder.add(text)
    return String(builder.fingerprint.low, radix: 36)
}
