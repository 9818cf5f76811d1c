// One decoded push on its way from a network thread to the model.

import Names
import Optimizers

/// Gradients with all other fields of the push.
public struct Push: Sendable {
    /// The gradients; their dense part is in `arena`.
    public var gradients: Gradients
    /// Keeps the gradients' memory until the push is done.
    public var arena: Arena
    /// The budget's loan for rows and other data in addition to the arena.
    public var memory: Reservation?
    /// Identifies the push for exactly-once application; nil if the client sent no identity.
    public var key: PushKey?
    /// Distinguishes another body under the same key from a retry; does not depend on the layout.
    public var fingerprint: Fingerprint
    /// The part of it that is made of the tensors; nil if the push comes from the log.
    var tensors: Fingerprint?
    /// The step or version that the gradient was computed from.
    public var basedOn: Basis?
    /// The training loss reported by the worker, for charts.
    public var loss: Double?
    /// The number of examples that the gradient is the mean of, for weighted rounds.
    public var examples: Int?
    /// The metrics reported by the worker, for charts.
    public var metrics: [Scalar]
    /// The hyperparameters for its own update; nil if it has none.
    public var hyperparameters: Hyperparameters?
    /// When the model admitted it; nil before that, and in logs of the first releases.
    var sighting: Sighting?
    /// The first non-finite gradient, which is an overflow or an error depending on the model's settings.
    public var nonFinite: Complaint?
    /// The mistakes found while decoding.
    ///
    /// Judged after the key: a repeated push gets its receipt regardless of its body.
    public var complaints: [Complaint]
    /// The accounts of its body until it is done; nil if it comes from the log.
    var share: BodyShare?

    /// Whether it is refused if a slot would become non-finite, leaving the slots unchanged.
    ///
    /// Pushes logged by the first releases wrote slots first and checked only parameters.
    var keepsSlots: Bool { sighting != nil }

    /// Moves the gradients to the arenas of another layout.
    ///
    /// - Returns: the names of those that do not fit, which are dropped.
    @discardableResult
    mutating func move(to pool: ArenaPool, shortRows: Gradients.ShortRows) -> [Name] {
        let next = pool.takeOwed()
        let moved = gradients.moved(
            from: arena.placement, to: pool.placement, into: next.buffer, shortRows: shortRows)
        (gradients, arena) = (moved.gradients, next)
        return moved.misfits
    }

    /// Whether an earlier release stored this fingerprint for the push: a retry across an upgrade is recognized.
    ///
    /// Those releases compared the gradients, by name or by their places in a layout, and the hyperparameters.
    func wasStored(as stored: Fingerprint, in layout: ArenaLayout) -> Bool {
        stored == tensors?.with(hyperparameters)
            || stored == gradients.fingerprint(in: layout).with(hyperparameters)
    }

    /// Makes a push from its parts.
    public init(
        gradients: Gradients, arena: Arena, memory: Reservation? = nil, key: PushKey?, fingerprint: Fingerprint,
        tensors: Fingerprint? = nil, basedOn: Basis? = nil, loss: Double? = nil, examples: Int? = nil,
        metrics: [Scalar] = [], hyperparameters: Hyperparameters? = nil,
        nonFinite: Complaint? = nil, complaints: [Complaint] = [], share: BodyShare? = nil
    ) {
        self.gradients = gradients
        self.arena = arena
        self.memory = memory
        self.key = key
        self.fingerprint = fingerprint
        self.tensors = tensors
        self.basedOn = basedOn
        self.loss = loss
        self.examples = examples
        self.metrics = metrics
        self.hyperparameters = hyperparameters
        self.nonFinite = nonFinite
        self.complaints = complaints
        self.share = share
    }
}
