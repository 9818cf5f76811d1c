// What a request may demand of the model that it is about to replace or to delete.

import Names

/// One creation of a model, and versions of it.
public struct ModelCondition: Sendable {
    /// The creation that is meant; another one of the same name is left alone.
    public var uid: ModelUID
    /// The versions, one of which the model must be at; nil for any.
    public var versions: [Int]?

    /// Makes a condition.
    public init(uid: ModelUID, versions: [Int]? = nil) {
        self.uid = uid
        self.versions = versions
    }

    /// Checks a model as it is now.
    ///
    /// - Throws: `preconditionFailed`, `modelReplaced`.
    public func check(_ model: Model) throws(ServingError) {
        try check(Holder(model), Name(model.name))
    }

    /// Checks the model that has the name; nil for none.
    ///
    /// - Throws: `preconditionFailed`, `modelReplaced`, and `modelUnavailable` where a version is asked for of a model that
    ///   is not served.
    func check(_ holder: Holder?, _ name: Name) throws(ServingError) {
        guard let holder else { throw .preconditionFailed(expected: "\(uid)", current: "no model") }
        guard holder.uid == uid else { throw .modelReplaced(name.text) }
        guard let versions else { return }
        switch holder {
        case .served(_, let version, _, _):
            if !versions.contains(version) { throw .preconditionFailed(versions, current: version) }
        case .unavailable(let model): throw .modelUnavailable(model)
        }
    }
}

extension Holder {
    /// What decisions depend on of a live model.
    init(_ model: Model) {
        let current = model.publication.current
        self = .served(
            model.uid, version: current.version, layout: current.facts.layout, fingerprint: model.fingerprint)
    }
}
