// One decoded push on its way from a network thread to the model.

import Optimizers

/// Gradients with everything that came beside them.
public struct Push: Sendable {
    /// The gradients; their dense part is in `arena`.
    public var gradients: Gradients
    /// Keeps the gradient's memory on loan until the push is done.
    public var arena: Arena
    /// What the budget lends for rows and all else that arrived beside the arena.
    public var memory: Reservation?
    /// Identifies the push for exactly-once application; nil when the client gave nothing.
    public var key: PushKey?
    /// Tells other gradients under the same key from a retry.
    public var fingerprint: Fingerprint
    /// The step or the version at which the gradient was computed.
    public var basedOn: Basis?
    /// The training loss that the worker saw, for charts.
    public var loss: Double?
    /// When the model admitted it; nil before, and in logs of the first releases.
    var sighting: Sighting?
    /// The first non-finite gradient, which is an overflow or an error, as the model's settings say.
    public var nonFinite: Complaint?
    /// What decoding found wrong.
    ///
    /// Judged after the key: a repeated push gets its receipt whatever its body looks like.
    public var complaints: [Complaint]
    /// What its body is charged with until it is done; nil for one that comes from the log.
    var share: BodyShare?

    /// Whether it is refused where a slot would become non-finite, and leaves the slots alone then.
    ///
    /// Those that the first releases logged wrote slots first and looked at parameters alone.
    var keepsSlots: Bool { sighting != nil }

    /// Makes a push of its parts.
    public init(
        gradients: Gradients, arena: Arena, memory: Reservation? = nil, key: PushKey?, fingerprint: Fingerprint,
        basedOn: Basis? = nil, loss: Double? = nil, nonFinite: Complaint? = nil, complaints: [Complaint] = [],
        share: BodyShare? = nil
    ) {
        self.gradients = gradients
        self.arena = arena
        self.memory = memory
        self.key = key
        self.fingerprint = fingerprint
        self.basedOn = basedOn
        self.loss = loss
        self.nonFinite = nonFinite
        self.complaints = complaints
        self.share = share
    }
}
