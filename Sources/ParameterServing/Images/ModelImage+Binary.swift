// The form of an image on disk, in snapshots and in restore records: the length of a head, the head, then the floats as
// they are in memory. A reader must understand every format number that was ever written.

import Journal
import Names
import Optimizers

extension ModelImage {
    /// Format 4 has what an image of format 2 cannot say behind it, format 5 the lists of rates before the receipts.
    ///
    /// Each is written for that alone; there is no 3.
    private func format(_ lists: RatesTable) -> UInt8 {
        if lists.isUseful { return 5 }
        let isOfFormat2 =
            areSlotsSpoiled == (divergence != nil) && forgottenKeys.isEmpty && ledger.expired.isEmpty
            && ledger.workers.values.allSatisfy { $0.lastSeen == 0 }
        return isOfFormat2 ? 2 : 4
    }

    /// The rates of all receipts.
    private var lists: RatesTable {
        var table = RatesTable()
        for (_, worker) in ledger.workers.sorted(by: { $0.key < $1.key }) {
            for entry in worker.entries { table.add(entry.receipt.learningRates) }
        }
        for entry in keys {
            if case .receipt(let receipt) = entry.answer { table.add(receipt.learningRates) }
        }
        return table
    }

    /// Gives the head to `handOn` in pieces, for it may be long: its length, then the head, padded so that the floats behind
    /// it are aligned.
    func writeHead(_ handOn: @escaping (UnsafeRawBufferPointer) -> Void) {
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
        writer.write(ledger)
        writer.write(optimizer)
        writer.write(history)
        writer.write(keys)
        if format >= 4 {
            writer.write(areSlotsSpoiled)
            writer.write(agesOf: ledger)
            writer.write(forgottenKeys)
        }
        writer.pad(to: 8)
    }
}

/// What an image's head says, before the floats have been read.
struct ImageHead {
    var name: String
    var uid: ModelUID
    var fingerprint: Fingerprint
    var settings: SettingValue
    var parameters: [ParameterDefinition]
    var version: Int
    var divergence: String?
    var areSlotsSpoiled: Bool
    var position: UInt64
    var history: VersionHistory
    var workers: [Name: WorkerLedger.Worker]
    var expired: [Name: WorkerLedger.Expired] = [:]
    var keys: [KeyLedger.Entry]
    var forgottenKeys: [KeyLedger.Forgotten] = []
    var optimizer: OptimizerState

    /// Reads a head without the length in front of it; the slots' buffers are still to be filled.
    ///
    /// - Parameter floatBytes: the bytes of all values that belong to the head.
    init(reading reader: inout ByteReader, floatBytes: Int) throws(FormatError) {
        let format: UInt8
        (format, name, uid) = try Self.identity(reading: &reader)
        fingerprint = Fingerprint(high: try reader.readUInt64(), low: try reader.readUInt64())
        // Earlier releases let a patch store any `consistency`, which meant nothing.
        settings = try reader.readSetting().setting("consistency", to: nil)
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
    }

    /// Reads what a head begins with: its format, and which model it is of.
    static func identity(
        reading reader: inout ByteReader
    ) throws(FormatError) -> (format: UInt8, name: String, uid: ModelUID) {
        let format = try reader.readByte()
        guard [1, 2, 4, 5].contains(format) else {
            throw FormatError(expected: "an image of format 1, 2, 4 or 5", offset: reader.offset - 1)
        }
        return (format, try reader.readString(), ModelUID(number: try reader.readUInt32()))
    }
}
