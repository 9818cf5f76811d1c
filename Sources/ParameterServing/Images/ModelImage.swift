// The whole state of a model, between two steps, as a value: for snapshots, checkpoints, restores and digests. Its
// parameters are an immutable version's arena; its slots are copies.

import Optimizers

/// The whole state of a model.
struct ModelImage: Sendable {
    /// Everything except the values.
    var head: ImageHead
    /// The parameters' values in update order.
    var arena: Arena
    /// The budget's loan for the slots.
    var memory: Reservation

    /// The image as a checkpoint has it: without the clocks of workers, charts and events, which belong to the training
    /// in progress.
    var ofCheckpoint: ModelImage {
        var image = self
        (image.head.round, image.head.clocks) = (image.head.round.ofNewModel, WorkerClocks())
        (image.head.trainingHistory, image.head.eventCount) = (TrainingHistory(), 0)
        image.head.layoutChanges = LayoutChanges()
        return image
    }

    /// The values in stored order: the arena, then each slot and each average.
    var values: [FloatBuffer] { [arena.buffer] + head.optimizer.buffers }

    /// Equal only if parameters, slots, averages, step and receipts are equal to the bit.
    ///
    /// Name, uid, version and position are excluded: they may differ in a replayed or restored model.
    var digest: Fingerprint {
        let builder = Fingerprint.Builder()
        var writer = ByteWriter { builder.add($0) }
        writer.isForDigest = true
        writer.write(head.optimizer)
        writer.write(workers: head.workers)
        writer.write(numbersOf: head.expired)
        // The arrival time of a request is not part of the model's state.
        for entry in head.keys {
            writer.write(entry.key.text)
            writer.write(entry.answer)
        }
        // The counter of epochs may differ as the version does.
        let hasLeases = head.workers.values.contains { $0.ttl != nil || $0.hasEnded }
        if hasLeases { writer.write(leasesOf: head.workers, EpochCounter(last: 0, firstCounted: nil)) }
        if !head.round.held.isEmpty { writer.write(head.round) }
        if !head.clocks.isEmpty { writer.write(head.clocks) }
        writer.finish()
        for buffer in values { builder.add(UnsafeRawBufferPointer(buffer[0..<buffer.count])) }
        return builder.fingerprint
    }
}
