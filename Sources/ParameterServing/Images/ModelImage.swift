// The whole state of a model, between two steps, as a value: for snapshots, checkpoints, restores and digests. Its
// parameters are an immutable version's arena; its slots are copies.

import Optimizers

/// The whole state of a model.
struct ModelImage: Sendable {
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
    /// The steps of earlier versions.
    var history: VersionHistory
    /// The parameter that diverged, until a restore or an import.
    var divergence: String?
    /// Whether the diverging update kept its slots; see `ModelState`.
    var areSlotsSpoiled = false
    /// The journal position that the image covers: it includes the effect of every record before.
    var position: UInt64
    /// The pushes of each worker.
    var ledger: WorkerLedger
    /// The answers of requests with a key.
    var keys: [KeyLedger.Entry]
    /// Keys whose answers are no longer kept.
    var forgottenKeys: [KeyLedger.Forgotten] = []
    /// Step, slots and scalars of the optimizer.
    var optimizer: OptimizerState
    /// The parameters' values in update order.
    var arena: Arena
    /// The budget's loan for the slots.
    var memory: Reservation

    /// The values in stored order: the arena, then each slot.
    var values: [FloatBuffer] { [arena.buffer] + optimizer.slots.map(\.buffer) }

    /// Equal only if parameters, slots, step and receipts are equal to the bit.
    ///
    /// Name, uid, version and position are excluded: they may differ in a replayed or restored model.
    var digest: Fingerprint {
        let builder = Fingerprint.Builder()
        var writer = ByteWriter { builder.add($0) }
        writer.write(optimizer)
        writer.write(ledger)
        writer.write(numbersOf: ledger.expired)
        // The arrival time of a request is not part of the model's state.
        for entry in keys {
            writer.write(entry.key.text)
            writer.write(entry.answer)
        }
        writer.finish()
        for buffer in values { builder.add(UnsafeRawBufferPointer(buffer[0..<buffer.count])) }
        return builder.fingerprint
    }
}
