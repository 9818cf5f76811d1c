// What a request may demand of the model that it is about to replace or to delete.

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

    /// Checks the model that has the name now; nil for none.
    ///
    /// - Throws: `preconditionFailed`, `modelReplaced`.
    public func check(_ model: Model?) throws(ServingError) {
        guard let model else { throw .preconditionFailed(expected: "\(uid)", current: "no model") }
        guard model.uid == uid else { throw .modelReplaced(model.name) }
        let version = model.publication.current.version
        if let versions, !versions.contains(version) { throw .preconditionFailed(versions, current: version) }
    }

    /// Checks a model that is not served: its version is not known.
    ///
    /// - Throws: `modelReplaced`, and `modelUnavailable` where a version is asked for.
    func check(_ model: UnavailableModel) throws(ServingError) {
        guard model.uid == uid else { throw .modelReplaced(model.name) }
        if versions != nil { throw .modelUnavailable(model) }
    }
}
