// The state that pulls see: a version never changes after it is published. A reader holds a reference and needs no
// lock; the buffer returns to the pool when the last reader releases it.

import Optimizers

/// One immutable, consistent state of a model's parameters.
public final class PublishedVersion: Sendable {
    /// The model's uid, as in its ETag.
    public let uid: ModelUID
    /// The version number: rises by one with every visible change.
    public let version: Int
    /// The version together with its model.
    public var cursor: Cursor { Cursor(uid: uid, version: version) }
    /// The number of updates applied.
    public let step: Int
    /// All parameters in update order.
    public let arena: Arena
    /// The averages of the parameters, in the order of `Average.Kind`.
    public let averages: [PublishedAverage]
    /// Layout, rates and definition of this version.
    public let facts: ModelFacts
    /// The factor that gradients must be multiplied by.
    public let lossScale: Double
    /// The answers made from this version.
    public let encodings = EncodingCache()

    init(
        uid: ModelUID, version: Int, step: Int, arena: Arena, averages: [PublishedAverage] = [], facts: ModelFacts,
        lossScale: Double
    ) {
        self.uid = uid
        self.version = version
        self.step = step
        self.arena = arena
        self.averages = averages
        self.facts = facts
        self.lossScale = lossScale
    }

    /// Bytes of its values and averages.
    var bytes: Int { (1 + averages.count) * arena.buffer.count * MemoryLayout<Float>.stride }

    /// The current facts under the number of an earlier version that is no longer available.
    public func told(at version: Int, step: Int) -> PublishedVersion {
        PublishedVersion(
            uid: uid, version: version, step: step, arena: arena, averages: averages, facts: facts, lossScale: lossScale
        )
    }

    /// The values of the parameter at `index` in update order.
    public func values(at index: Int) -> UnsafeBufferPointer<Float> {
        UnsafeBufferPointer(arena.buffer[facts.layout.parameters[index].range])
    }
}
