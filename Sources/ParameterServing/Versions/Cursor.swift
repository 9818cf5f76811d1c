// A version number does not say which model it belongs to: a model that is created again counts from 1. A cursor names
// both.

/// A version of one model, written `UID-VERSION`.
public struct Cursor: Sendable, Hashable, CustomStringConvertible {
    /// The model's uid.
    public let uid: ModelUID
    /// The version.
    public let version: Int

    /// Makes a cursor from its parts.
    public init(uid: ModelUID, version: Int) {
        self.uid = uid
        self.version = version
    }

    /// Reads the output of `description`; nil for any other text.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let uid = ModelUID(parts[0]), let version = Int(parts[1]) else { return nil }
        self.init(uid: uid, version: version)
        guard description == text else { return nil }
    }

    /// The uid, a hyphen and the version.
    public var description: String { "\(uid)-\(version)" }
}

/// The origin of a gradient.
public enum Basis: Sendable, Hashable {
    /// The parameters at a step.
    case step(Int)
    /// The parameters at a version.
    case cursor(Cursor)

    var step: Int? { if case .step(let step) = self { step } else { nil } }
    var cursor: Cursor? { if case .cursor(let cursor) = self { cursor } else { nil } }
}
