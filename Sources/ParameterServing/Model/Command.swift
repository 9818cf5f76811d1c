// All that can change a model, as values. A command is checked, logged, and then applied; replaying the logged
// commands in order gives the same model to the bit.

import Names
import Optimizers

/// A change of one model.
public enum Command: Sendable {
    /// Apply gradients.
    case push(Push)
    /// Replace the values of the parameters that are marked in `present`; with versions, only if it is at one of them.
    case importValues(Arena, present: [Bool], ifVersion: [Int]? = nil)
    /// Merge a patch into the settings; with versions, only if it is at one of them.
    case reconfigure(SettingsPatch, ifVersion: [Int]?)
    /// Go back to an earlier state; the version goes forward, and what workers have pushed stays known.
    case restore(Restoration)
    /// Give a worker a new epoch.
    case register(worker: Name)
}

/// What a command came to.
public enum Outcome: Sendable {
    /// The push's receipt.
    case receipt(Receipt)
    /// The version that shows the change.
    case changed(PublishedVersion)
    /// The worker's new epoch, and the highest number of the one before.
    case registered(epoch: Int, lastSeq: Int)
}

/// Receives the outcome of a command, on an executor thread.
public typealias Reply = @Sendable (Result<Outcome, ServingError>) -> Void
