// Everything that a model is, at one step boundary, as a value: for snapshots, checkpoints, restores and digests. Its
// parameters are an immutable version's arena; its slots are copies, taken between two updates.

import Optimizers

/// The whole state of a model.
struct ModelImage: Sendable {
    /// The model's name.
    var name: String
    /// The number of this creation of the name.
    var uid: ModelUID
    /// Tells whether another create request asks for the same.
    var fingerprint: Fingerprint
    /// The settings with all patches applied.
    var settings: SettingValue
    /// The parameters in the order of the definition.
    var parameters: [ParameterDefinition]
    /// The version cursor.
    var version: Int
    /// The step of each version before.
    var history: VersionHistory
    /// The parameter that diverged, until a restore or an import.
    var divergence: String?
    /// Whether that update left its slots; see `ModelState`.
    var areSlotsSpoiled = false
    /// The journal position that the image covers: it holds the effect of every record before.
    var position: UInt64
    /// What each worker has pushed.
    var ledger: WorkerLedger
    /// The answers of requests that came with a key.
    var keys: [KeyLedger.Entry]
    /// Keys whose answers are no longer kept.
    var forgottenKeys: [KeyLedger.Forgotten] = []
    /// Step, slots and scalars of the optimizer.
    var optimizer: OptimizerState
    /// The parameters' values in update order.
    var arena: Arena
    /// What the budget lends for the slots.
    var memory: Reservation

    /// The values in the order in which they are stored: the arena, then each slot.
    var values: [FloatBuffer] { [arena.buffer] + optimizer.slots.map(\.buffer) }

    /// A number that two models share only when parameters, slots, step and receipts are equal to the bit.
    ///
    /// Name, uid, version and position are left out: a replayed or restored model may differ in them.
    var digest: Fingerprint {
        let builder = Fingerprint.Builder()
        var writer = ByteWriter { builder.add($0) }
        writer.write(optimizer)
        writer.write(ledger)
        writer.write(numbersOf: ledger.expired)
        // When a request arrived is not part of what the model is.
        for entry in keys {
            writer.write(entry.key.text)
            writer.write(entry.answer)
        }
        writer.finish()
        for buffer in values { builder.add(UnsafeRawBufferPointer(buffer[0..<buffer.count])) }
        return builder.fingerprint
    }
}
