// A version by itself says nothing of which model it belongs to: a model that is created again counts from 1. A cursor
// names both, so that what a client has seen is never taken for something else.

/// A version of one life of a model, written `UID-VERSION`.
public struct Cursor: Sendable, Hashable, CustomStringConvertible {
    /// The creation of the model.
    public let uid: ModelUID
    /// The version.
    public let version: Int

    /// Makes a cursor of its parts.
    public init(uid: ModelUID, version: Int) {
        self.uid = uid
        self.version = version
    }

    /// Reads what `description` writes; nil for any other spelling.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let uid = ModelUID(parts[0]), let version = Int(parts[1]) else { return nil }
        self.init(uid: uid, version: version)
        guard description == text else { return nil }
    }

    /// The uid, a hyphen and the version.
    public var description: String { "\(uid)-\(version)" }
}

/// What a gradient was computed from.
public enum Basis: Sendable, Hashable {
    /// The parameters of a step.
    case step(Int)
    /// The parameters of a version.
    case cursor(Cursor)

    var step: Int? { if case .step(let step) = self { step } else { nil } }
    var cursor: Cursor? { if case .cursor(let cursor) = self { cursor } else { nil } }
}
