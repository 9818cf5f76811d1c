// Registrations and their ends as records.

import Names

extension ByteWriter {
    /// Writes a registration; one that is not counted has the form of earlier releases, which is the name alone.
    mutating func write(_ registration: Registration) {
        write(registration.worker)
        if registration.isCounted { write(optional: registration.ttl) { $0.write($1) } }
    }

    mutating func write(_ ended: EndedLease) {
        write(ended.worker)
        write(ended.epoch)
    }

    /// Writes the leases of the workers and the model's epochs: in images since format 6.
    mutating func write(leasesOf workers: [Name: WorkerLedger.Worker], _ epochs: EpochCounter) {
        write(workers.sorted { $0.key < $1.key }) { writer, worker in
            writer.write(optional: worker.value.ttl) { $0.write($1) }
            writer.write(worker.value.hasEnded)
        }
        write(epochs.last)
        write(optional: epochs.firstCounted) { $0.write($1) }
    }
}

extension ByteReader {
    /// Reads the output of `write(_: Registration)`.
    mutating func readRegistration(isCounted: Bool) throws(FormatError) -> Registration {
        let worker = try readName()
        let ttl = isCounted ? try readOptional { reader throws(FormatError) in try reader.readTTL() } : nil
        return Registration(worker: worker, ttl: ttl, isCounted: isCounted)
    }

    mutating func readEndedLeases() throws(FormatError) -> [EndedLease] {
        try readArray { reader throws(FormatError) in
            EndedLease(worker: try reader.readName(), epoch: try reader.readInt())
        }
    }

    /// Reads the output of `write(leasesOf:)`, for the workers that were read before.
    mutating func readLeases(
        into workers: inout [Name: WorkerLedger.Worker]
    ) throws(FormatError) -> EpochCounter {
        let leases = try readArray { reader throws(FormatError) in
            let ttl = try reader.readOptional { reader throws(FormatError) in try reader.readTTL() }
            return (ttl: ttl, hasEnded: try reader.readBool())
        }
        guard leases.count == workers.count else {
            throw FormatError(expected: "the leases of \(workers.count) workers", offset: offset)
        }
        for (name, lease) in zip(workers.keys.sorted(), leases) {
            workers[name]?.ttl = lease.ttl
            workers[name]?.hasEnded = lease.hasEnded
        }
        return EpochCounter(
            last: try readInt(),
            firstCounted: try readOptional { reader throws(FormatError) in try reader.readInt() })
    }

    /// A length in milliseconds that a deadline can be computed from.
    private mutating func readTTL() throws(FormatError) -> Int {
        let ttl = try readInt()
        guard (1...Registration.longestTTL).contains(ttl) else {
            throw FormatError(expected: "the length of a lease", offset: offset - 8)
        }
        return ttl
    }
}
