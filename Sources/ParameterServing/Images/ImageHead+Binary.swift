// The format of an image on disk, in snapshots and in restore records: the length of a head, the head, then the floats
// as they are in memory. Readers must support every format number that was ever written.

import Journal
import Names
import Optimizers

extension ImageHead {
    /// Format 4 adds a tail to format 2, format 5 lists of rates before the receipts, format 6 averages to the
    /// optimizer's state, norms after clipping and hyperparameters to receipts, and at the end rounds, leases and
    /// epochs, a training history and the number of events; format 7 adds when the layout changed.
    ///
    /// Each is used only if it is needed; there is no format 3.
    private func format(_ lists: RatesTable) -> UInt8 {
        if layoutChanges != LayoutChanges() { return 7 }
        if !optimizer.averages.isEmpty || hasClippedNorms || hasHyperparameters || hasRounds { return 6 }
        if epochs != uncountedEpochs { return 6 }
        if eventCount > 1 || trainingHistory != TrainingHistory() { return 6 }
        if lists.isUseful { return 5 }
        let isOfFormat2 =
            areSlotsSpoiled == (divergence != nil) && forgottenKeys.isEmpty && expired.isEmpty
            && workers.values.allSatisfy { $0.lastSeen == 0 }
        return isOfFormat2 ? 2 : 4
    }

    private var hasRounds: Bool { !round.isUntouched || !clocks.isEmpty || settings["consistency"] != nil }

    /// Whether a receipt has a norm after clipping.
    private var hasClippedNorms: Bool {
        workers.values.contains { $0.entries.contains { $0.receipt.clippedGradientNorm != nil } }
            || keys.contains { entry in
                if case .receipt(let receipt) = entry.answer { receipt.clippedGradientNorm != nil } else { false }
            }
    }

    /// The rates of all receipts.
    private var lists: RatesTable {
        var table = RatesTable()
        for (_, worker) in workers.sorted(by: { $0.key < $1.key }) {
            for entry in worker.entries { table.add(entry.receipt.learningRates) }
        }
        for entry in keys {
            if case .receipt(let receipt) = entry.answer { table.add(receipt.learningRates) }
        }
        return table
    }

    /// Whether a receipt has the hyperparameters of its push.
    private var hasHyperparameters: Bool {
        workers.values.contains { worker in worker.entries.contains { $0.receipt.hyperparameters != nil } }
            || keys.contains { entry in
                if case .receipt(let receipt) = entry.answer { receipt.hyperparameters != nil } else { false }
            }
    }

    /// Passes the head to `handOn` in pieces, because it may be long: its length, then the head, padded to align the
    /// floats after it.
    func write(_ handOn: @escaping (UnsafeRawBufferPointer) -> Void) {
        let lists = lists
        var measure = ByteWriter { _ in }
        write(to: &measure, lists)
        var writer = ByteWriter(handOn)
        writer.write(measure.count)
        write(to: &writer, lists)
        writer.finish()
    }

    private func write(to writer: inout ByteWriter, _ lists: RatesTable) {
        let format = format(lists)
        writer.write(format)
        writer.write(name)
        writer.write(uid.number)
        writer.write(fingerprint.high)
        writer.write(fingerprint.low)
        writer.write(settings)
        writer.write(parameters) { writer, parameter in
            writer.write(parameter)
        }
        writer.write(version)
        writer.write(optional: divergence) { $0.write($1) }
        writer.write(position)
        if format >= 5 {
            writer.write(lists.lists) { $0.write(list: $1) }
            writer.lists = lists
        }
        writer.write(workers: workers)
        writer.write(optimizer)
        writer.write(history)
        writer.write(keys)
        if format >= 4 {
            writer.write(areSlotsSpoiled)
            writer.write(agesOf: workers, expired)
            writer.write(forgottenKeys)
        }
        if format >= 6 {
            writer.write(round)
            writer.write(clocks)
            writer.write(leasesOf: workers, epochs)
            writer.write(trainingHistory)
            writer.write(eventCount)
        }
        if format >= 7 { writer.write(layoutChanges) }
        writer.pad(to: 8)
    }
}

extension ImageHead {
    /// Reads a head without its length; the slots' buffers are filled later.
    ///
    /// - Parameter floatBytes: the size of all values that belong to the head.
    init(reading reader: inout ByteReader, floatBytes: Int) throws(FormatError) {
        let format: UInt8
        (format, name, uid) = try Self.identity(reading: &reader)
        fingerprint = Fingerprint(high: try reader.readUInt64(), low: try reader.readUInt64())
        let written = try reader.readSetting()
        // Earlier releases stored any `consistency` in a patch, without a meaning.
        settings = format >= 6 ? written : written.setting("consistency", to: nil)
        parameters = try reader.readArray { reader throws(FormatError) in
            try reader.readParameter()
        }
        version = try reader.readInt()
        divergence = try reader.readOptional { reader throws(FormatError) in try reader.readString() }
        position = try reader.readUInt64()
        if format >= 5 {
            reader.lists = try reader.readArray { reader throws(FormatError) in try reader.readList() }
        }
        (workers, keys) = try reader.readLedger()
        optimizer = try reader.readOptimizerState(slotBytes: floatBytes)
        history =
            format >= 2 ? try reader.readHistory() : VersionHistory(version: version, step: optimizer.step)
        if format >= 2 { keys = try reader.readKeys() }
        areSlotsSpoiled = format >= 4 ? try reader.readBool() : divergence != nil
        if format >= 4 {
            expired = try reader.readAges(into: &workers)
            forgottenKeys = try reader.readForgottenKeys()
        }
        if format >= 6 {
            round = try reader.readRound()
            clocks = try reader.readClocks()
        }
        epochs = format >= 6 ? try reader.readLeases(into: &workers) : uncountedEpochs
        if format >= 6 {
            trainingHistory = try reader.readTrainingHistory()
            eventCount = try reader.readInt()
        }
        if format >= 7 { layoutChanges = try reader.readLayoutChanges() }
    }

    /// The epochs as far as an image of an earlier release tells them, which counted them for each worker.
    ///
    /// Where workers may have been forgotten, the highest epoch is unknown. Each was a record, so that it is not above the
    /// position in the journal.
    var uncountedEpochs: EpochCounter {
        let known = workers.values.map(\.epoch) + expired.values.map(\.epoch)
        let isComplete = expired.count < ServingConfiguration.expiredWorkers
        return EpochCounter(
            last: max(known.max() ?? 0, isComplete ? 0 : Int(clamping: position)), firstCounted: nil)
    }

    /// Reads the start of a head: its format and its model.
    static func identity(
        reading reader: inout ByteReader
    ) throws(FormatError) -> (format: UInt8, name: String, uid: ModelUID) {
        let format = try reader.readByte()
        guard [1, 2, 4, 5, 6, 7].contains(format) else {
            throw FormatError(expected: "an image of format 1, 2, 4, 5, 6 or 7", offset: reader.offset - 1)
        }
        return (format, try reader.readString(), ModelUID(number: try reader.readUInt32()))
    }
}
