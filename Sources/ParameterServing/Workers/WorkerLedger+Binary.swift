// The deduplication table on disk: without it a snapshot would forget what retries need.

import Names
import Optimizers

extension ByteWriter {
    /// Writes everything remembered about workers, in an order that does not depend on hashing.
    mutating func write(workers: [Name: WorkerLedger.Worker]) {
        write(workers.sorted { $0.key < $1.key }) { writer, worker in
            writer.write(worker.key)
            writer.write(worker.value.epoch)
            writer.write(worker.value.lastSeq)
            writer.write(worker.value.forgottenThrough)
            writer.write(worker.value.entries) { $0.write($1) }
        }
        // The first format had pushes with a key here; they have moved to the ledger of keys.
        write(0)
    }

    /// Writes when each worker was last seen, and the expired ones: in images since format 4.
    mutating func write(agesOf workers: [Name: WorkerLedger.Worker], _ expired: [Name: WorkerLedger.Expired]) {
        write(workers.sorted { $0.key < $1.key }) { writer, worker in writer.write(worker.value.lastSeen) }
        write(expired.sorted { $0.key < $1.key }) { writer, worker in
            writer.write(worker.key)
            for number in [worker.value.epoch, worker.value.lastSeq, worker.value.lastSeen] { writer.write(number) }
        }
    }

    /// Writes the expired workers without their age; nothing if there are none.
    mutating func write(numbersOf expired: [Name: WorkerLedger.Expired]) {
        for (name, worker) in expired.sorted(by: { $0.key < $1.key }) {
            write(name)
            write(worker.epoch)
            write(worker.lastSeq)
        }
    }

    private mutating func write(_ entry: WorkerLedger.Entry) {
        write(entry.seq)
        write(entry.fingerprint)
        write(entry.receipt)
    }

    mutating func write(_ receipt: Receipt) {
        // One byte of flags, so that a receipt with none but the first looks as in format 1.
        let (clipped, brought) = (receipt.clippedGradientNorm, receipt.hyperparameters)
        let flags = [
            receipt.applied, receipt.isFromLeftBranch, receipt.round != nil, clipped != nil, brought != nil,
            receipt.staleness == nil && !isForDigest, receipt.isDivided && !isForDigest,
        ]
        write(zip(flags, 0...).reduce(UInt8(0)) { $0 | ($1.0 ? 1 << UInt8($1.1) : 0) })
        write(receipt.step)
        write(receipt.version)
        write(rates: receipt.learningRates)
        write(receipt.staleness ?? 0)
        write(receipt.gradientNorm)
        write(optional: receipt.updateRatio) { $0.write($1) }
        write(receipt.overflow)
        write(optional: receipt.nextLossScale) { $0.write($1) }
        write(receipt.gap)
        if let round = receipt.round { write(round) }
        if let clipped { write(clipped) }
        if let brought { write(brought.setting) }
    }

    private mutating func write(_ round: RoundReceipt) {
        switch round.state {
        case .held: write(UInt8(0))
        case .closed: write(UInt8(0x80))
        case .dropped(.diverged) where isForDigest, .dropped(.overflow) where isForDigest:
            write(DropReason.refused.rawValue)
        case .dropped(let reason): write(reason.rawValue)
        }
        write(round.step)
        write(round.received)
        let isLeftOut = if case .dropped = round.state { isForDigest } else { false }
        write(optional: isLeftOut ? nil : round.needed) { $0.write($1) }
    }

    /// Writes the number of a list if the table has it; otherwise the list itself, after -1 if there is a table.
    private mutating func write(rates: [Float?]) {
        let number = lists?.number(of: rates)
        if lists != nil { write(number ?? -1) }
        if number == nil { write(list: rates) }
    }

    /// Writes a list of rates.
    mutating func write(list: [Float?]) {
        write(list) { writer, rate in writer.write(optional: rate) { $0.write($1) } }
    }
}

extension ByteReader {
    /// Reads the output of `write(workers:)`, and the pushes with a key that the first format had after it.
    mutating func readLedger() throws(FormatError) -> (workers: [Name: WorkerLedger.Worker], keys: [KeyLedger.Entry]) {
        let workers = try readArray { reader throws(FormatError) in
            let name = try reader.readName()
            let worker = WorkerLedger.Worker(
                epoch: try reader.readInt(), lastSeq: try reader.readInt(), forgottenThrough: try reader.readInt(),
                entries: try reader.readArray { reader throws(FormatError) in try reader.readEntry() })
            return (name, worker)
        }
        let keys = try readArray { reader throws(FormatError) in
            let text = try reader.readName()
            let entry = try reader.readEntry()
            let key = RequestKey(text: text, target: nil, body: entry.fingerprint, time: RequestKey.always)
            return KeyLedger.Entry(key: key, answer: .receipt(entry.receipt))
        }
        return (Dictionary(workers, uniquingKeysWith: { first, _ in first }), keys)
    }

    /// Reads the output of `write(agesOf:)`, for the workers that were read before.
    mutating func readAges(
        into workers: inout [Name: WorkerLedger.Worker]
    ) throws(FormatError) -> [Name: WorkerLedger.Expired] {
        let ages = try readArray { reader throws(FormatError) in try reader.readInt() }
        guard ages.count == workers.count else {
            throw FormatError(expected: "the ages of \(workers.count) workers", offset: offset)
        }
        for (name, age) in zip(workers.keys.sorted(), ages) { workers[name]?.lastSeen = age }
        let expired = try readArray { reader throws(FormatError) in
            let name = try reader.readName()
            let worker = WorkerLedger.Expired(
                epoch: try reader.readInt(), lastSeq: try reader.readInt(), lastSeen: try reader.readInt())
            return (name, worker)
        }
        return Dictionary(expired, uniquingKeysWith: { first, _ in first })
    }

    private mutating func readEntry() throws(FormatError) -> WorkerLedger.Entry {
        WorkerLedger.Entry(seq: try readInt(), fingerprint: try readFingerprint(), receipt: try readReceipt())
    }

    mutating func readReceipt() throws(FormatError) -> Receipt {
        let flags = try readByte()
        var receipt = Receipt(
            applied: flags & 1 != 0, step: try readInt(), version: try readInt(),
            learningRates: try readRates(),
            staleness: try readInt(), isFromLeftBranch: flags & 2 != 0, gradientNorm: try readDouble(),
            updateRatio: try readOptional { reader throws(FormatError) in try reader.readDouble() },
            overflow: try readBool(),
            nextLossScale: try readOptional { reader throws(FormatError) in try reader.readDouble() },
            gap: try readInt())
        // Earlier releases counted an unknown staleness as 0.
        if flags & 32 != 0 { receipt.staleness = nil }
        receipt.isDivided = flags & 64 != 0
        if flags & 4 != 0 { receipt.round = try readRound() }
        if flags & 8 != 0 { receipt.clippedGradientNorm = try readDouble() }
        if flags & 16 != 0 { receipt.hyperparameters = Hyperparameters(try readSetting()) }
        rates.share(in: &receipt)
        return receipt
    }

    private mutating func readRound() throws(FormatError) -> RoundReceipt {
        let state: RoundReceipt.State
        switch try readByte() {
        case 0: state = .held
        case 0x80: state = .closed
        case let number:
            guard let reason = DropReason(rawValue: number) else {
                throw FormatError(expected: "the state of a round", offset: offset - 1)
            }
            state = .dropped(reason)
        }
        return RoundReceipt(
            state: state, step: try readInt(), received: try readInt(),
            needed: try readOptional { reader throws(FormatError) in try reader.readInt() })
    }

    private mutating func readRates() throws(FormatError) -> [Float?] {
        guard let lists else { return try readList() }
        let number = try readInt()
        if number == -1 { return try readList() }
        guard lists.indices.contains(number) else {
            throw FormatError(expected: "the number of a list of rates", offset: offset - 8)
        }
        return lists[number]
    }

    /// Reads a list of rates.
    mutating func readList() throws(FormatError) -> [Float?] {
        try readArray { reader throws(FormatError) in
            try reader.readOptional { reader throws(FormatError) in try reader.readFloat() }
        }
    }
}
