// A request's condition on the model that it will replace or delete.

import Names

/// One creation of a model, and versions of it.
public struct ModelCondition: Sendable {
    /// The uid that the model must have: another model of the same name is not affected.
    public var uid: ModelUID
    /// The model must be at one of these versions; nil for any.
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

    /// Checks the model that has the name; nil if there is none.
    ///
    /// - Throws: `preconditionFailed`, `modelReplaced`, and `modelUnavailable` if the condition names versions and the
    ///   model is not served.
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
    /// The facts about a live model that decisions depend on.
    init(_ model: Model) {
        let current = model.publication.current
        self = .served(
            model.uid, version: current.version, layout: current.facts.layout, fingerprint: model.fingerprint)
    }
}
