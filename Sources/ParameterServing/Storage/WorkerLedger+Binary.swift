// The dedup table on disk: without it a snapshot would forget what a retry needs.

import Names
import Optimizers

extension ByteWriter {
    /// Writes all that is remembered of workers and tokens, in an order that does not depend on hashing.
    mutating func write(_ ledger: WorkerLedger) {
        write(ledger.workers.sorted { $0.key < $1.key }) { writer, worker in
            writer.write(worker.key)
            writer.write(worker.value.epoch)
            writer.write(worker.value.lastSeq)
            writer.write(worker.value.forgottenThrough)
            writer.write(worker.value.entries) { $0.write($1) }
        }
        write(ledger.tokens) { writer, token in
            writer.write(token.token)
            writer.write(token.entry)
        }
    }

    private mutating func write(_ entry: WorkerLedger.Entry) {
        write(entry.seq)
        write(entry.fingerprint.high)
        write(entry.fingerprint.low)
        let receipt = entry.receipt
        // One byte with two flags, so that a receipt without the second looks as in format 1.
        write((receipt.applied ? UInt8(1) : 0) | (receipt.isFromLeftBranch ? 2 : 0))
        write(receipt.step)
        write(receipt.version)
        write(receipt.learningRates) { writer, rate in writer.write(optional: rate) { $0.write($1) } }
        write(receipt.staleness)
        write(receipt.gradientNorm)
        write(optional: receipt.updateRatio) { $0.write($1) }
        write(receipt.overflow)
        write(optional: receipt.nextLossScale) { $0.write($1) }
        write(receipt.gap)
    }
}

extension ByteReader {
    /// Reads what `write(_: WorkerLedger)` wrote.
    mutating func readLedger() throws(FormatError) -> (
        workers: [Name: WorkerLedger.Worker], tokens: [(token: Name, entry: WorkerLedger.Entry)]
    ) {
        let workers = try readArray { reader throws(FormatError) in
            let name = try reader.readName()
            let worker = WorkerLedger.Worker(
                epoch: try reader.readInt(), lastSeq: try reader.readInt(), forgottenThrough: try reader.readInt(),
                entries: try reader.readArray { reader throws(FormatError) in try reader.readEntry() })
            return (name, worker)
        }
        let tokens = try readArray { reader throws(FormatError) in
            (token: try reader.readName(), entry: try reader.readEntry())
        }
        return (Dictionary(workers, uniquingKeysWith: { first, _ in first }), tokens)
    }

    private mutating func readEntry() throws(FormatError) -> WorkerLedger.Entry {
        let seq = try readInt()
        let fingerprint = Fingerprint(high: try readUInt64(), low: try readUInt64())
        let flags = try readByte()
        return WorkerLedger.Entry(
            seq: seq, fingerprint: fingerprint,
            receipt: Receipt(
                applied: flags & 1 != 0, step: try readInt(), version: try readInt(),
                learningRates: try readArray { reader throws(FormatError) in
                    try reader.readOptional { reader throws(FormatError) in try reader.readFloat() }
                },
                staleness: try readInt(), isFromLeftBranch: flags & 2 != 0, gradientNorm: try readDouble(),
                updateRatio: try readOptional { reader throws(FormatError) in try reader.readDouble() },
                overflow: try readBool(),
                nextLossScale: try readOptional { reader throws(FormatError) in try reader.readDouble() },
                gap: try readInt()))
    }
}
