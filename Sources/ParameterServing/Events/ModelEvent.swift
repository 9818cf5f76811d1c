// What happens to a model, for readers that follow it. Most events come from a logged command, so that a replay emits
// the same ones; `ModelState.announce` is the only way to add one there.

import Names
import Optimizers

/// Something that happened to a model.
public enum ModelEvent: Sendable, Equatable {
    /// The model was created.
    case created
    /// A push made a new version. Of several, readers may see only the newest.
    case update(step: Int, version: Int, loss: Double?)
    /// A round ended.
    case round(SettledRound)
    /// Settings were changed by a patch.
    case patch(PatchedSettings)
    /// Parameters or rows were added, with the parameters before and after.
    case grown(PatchedSettings)
    /// Values were imported.
    case imported(step: Int, version: Int)
    /// An earlier state was restored, with the number of its checkpoint if it came from one.
    case restored(step: Int, version: Int, checkpoint: UInt64? = nil)
    /// A checkpoint was saved.
    case checkpoint(CheckpointFacts)
    /// A worker registered, or pushed for the first time.
    case workerJoined(Name, epoch: Int)
    /// A worker left.
    case workerLeft(Name, epoch: Int, because: Departure)
    /// The model was deleted, or replaced by another one of its name. No event follows.
    case deleted(isReplaced: Bool)

    /// Why a worker left, in the words that readers use.
    public enum Departure: String, Sendable {
        /// Its lease ran out.
        case expired
        /// A request deleted it.
        case deleted
        /// A new worker took its place in a full table: its lease had run out, or it was unseen for long.
        case replaced
    }

    /// The kinds of events, with the names that readers use.
    public enum Kind: String, Sendable, CaseIterable {
        case created
        case update
        case round
        case patch
        case grown
        case imported
        case restored
        case checkpoint
        case workerJoined = "worker_joined"
        case workerLeft = "worker_left"
        case deleted
    }

    /// Its kind.
    public var kind: Kind {
        switch self {
        case .created: .created
        case .update: .update
        case .round: .round
        case .patch: .patch
        case .grown: .grown
        case .imported: .imported
        case .restored: .restored
        case .checkpoint: .checkpoint
        case .workerJoined: .workerJoined
        case .workerLeft: .workerLeft
        case .deleted: .deleted
        }
    }

    /// Its approximate size beyond that of the value itself, in bytes.
    var bytes: Int {
        switch self {
        case .patch(let settings), .grown(let settings): settings.bytes
        default: 0
        }
    }
}
