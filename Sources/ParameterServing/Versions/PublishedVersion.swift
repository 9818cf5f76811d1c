// What pulls see: a version never changes after it is published. A reader holds a reference and needs no lock; the
// buffer goes back to the pool when the last reader lets go.

import Optimizers

/// One immutable, consistent state of a model's parameters.
public final class PublishedVersion: Sendable {
    /// The model's uid, as in its ETag.
    public let uid: ModelUID
    /// The cache cursor: rises by one with every visible change.
    public let version: Int
    /// The version with the model that it belongs to.
    public var cursor: Cursor { Cursor(uid: uid, version: version) }
    /// Updates applied so far.
    public let step: Int
    /// All parameters in update order.
    public let arena: Arena
    /// Layout, rates and definition as they hold for this version.
    public let facts: ModelFacts
    /// What gradients must arrive multiplied by.
    public let lossScale: Double
    /// The answers made of this version.
    public let encodings = EncodingCache()

    init(uid: ModelUID, version: Int, step: Int, arena: Arena, facts: ModelFacts, lossScale: Double) {
        self.uid = uid
        self.version = version
        self.step = step
        self.arena = arena
        self.facts = facts
        self.lossScale = lossScale
    }

    /// What is known now, told of an earlier version that is no longer kept.
    public func told(at version: Int, step: Int) -> PublishedVersion {
        PublishedVersion(uid: uid, version: version, step: step, arena: arena, facts: facts, lossScale: lossScale)
    }

    /// The values of the parameter at `index` in update order.
    public func values(at index: Int) -> UnsafeBufferPointer<Float> {
        let range = facts.layout.parameters[index].range
        return UnsafeBufferPointer(start: arena.buffer.base + range.lowerBound, count: range.count)
    }
}
