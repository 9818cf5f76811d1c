// The part of an image other than the values: readers use it alone to list, compare and start models.

import Names
import Optimizers

/// Everything in an image except the values.
struct ImageHead: Sendable {
    /// The model's name.
    var name: String
    /// Its uid.
    var uid: ModelUID
    /// Equal for create requests of the same model.
    var fingerprint: Fingerprint
    /// The settings with all patches applied.
    var settings: SettingValue
    /// The parameters in the order of the definition.
    var parameters: [ParameterDefinition]
    /// The version.
    var version: Int
    /// The parameter that diverged, until a restore or an import.
    var divergence: String?
    /// Whether the diverging update wrote slots; see `ModelState`.
    var areSlotsSpoiled: Bool
    /// The journal position that the image covers: it includes the effect of every record before.
    var position: UInt64
    /// The steps of earlier versions.
    var history: VersionHistory
    /// The pushes of each worker.
    var workers: [Name: WorkerLedger.Worker]
    /// Workers whose receipts have been dropped.
    var expired: [Name: WorkerLedger.Expired] = [:]
    /// The epochs given so far.
    var epochs = EpochCounter()
    /// The answers of requests with a key.
    var keys: [KeyLedger.Entry]
    /// Keys whose answers have been dropped.
    var forgottenKeys: [KeyLedger.Forgotten] = []
    /// The open round.
    var round = RoundImage()
    /// The clocks of mode `ssp`.
    var clocks = WorkerClocks()
    /// Step, slots and scalars of the optimizer, and the averages of the parameters.
    var optimizer: OptimizerState
    /// The history of its training.
    var trainingHistory = TrainingHistory()
    /// The number of its events; see `ModelState`.
    var eventCount = 1
    /// When its layout changed.
    var layoutChanges = LayoutChanges()
}
