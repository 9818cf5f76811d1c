// Keys and stored answers on disk: in the tails of records, in images from format 2 on, in the list of models.

extension ByteWriter {
    mutating func write(_ key: RequestKey) {
        write(key.text)
        write(optional: key.target) { $0.write($1) }
        write(key.body)
        write(key.time)
    }

    mutating func write(_ print: Fingerprint) {
        write(print.high)
        write(print.low)
    }

    /// Writes the answer; its tags never change their meaning.
    mutating func write(_ answer: StoredAnswer) {
        switch answer {
        case .receipt(let receipt):
            write(UInt8(0))
            write(receipt)
        case .changed(let step, let version):
            write(UInt8(1))
            write(step)
            write(version)
        case .registered(let epoch, let lastSeq):
            write(UInt8(2))
            write(epoch)
            write(lastSeq)
        case .saved(let facts):
            write(UInt8(3))
            write(facts)
        case .removed(let facts):
            write(UInt8(4))
            write(facts)
        case .created(let uid, let step):
            write(UInt8(5))
            write(uid.number)
            write(step)
        case .deleted: write(UInt8(6))
        }
    }

    private mutating func write(_ facts: CheckpointFacts) {
        write(facts.id)
        for number in [facts.step, facts.version, facts.created, facts.bytes] { write(number) }
    }

    mutating func write(_ entries: [KeyLedger.Entry]) {
        write(entries) { writer, entry in
            writer.write(entry.key)
            writer.write(entry.answer)
        }
    }
}

extension ByteWriter {
    mutating func write(_ forgotten: [KeyLedger.Forgotten]) {
        write(forgotten) { writer, key in
            writer.write(key.print)
            writer.write(key.time)
        }
    }
}

extension ByteReader {
    mutating func readForgottenKeys() throws(FormatError) -> [KeyLedger.Forgotten] {
        try readArray { reader throws(FormatError) in
            KeyLedger.Forgotten(print: try reader.readFingerprint(), time: try reader.readInt())
        }
    }

    mutating func readRequestKey() throws(FormatError) -> RequestKey {
        RequestKey(
            text: try readName(),
            target: try readOptional { reader throws(FormatError) in try reader.readFingerprint() },
            body: try readFingerprint(), time: try readInt())
    }

    mutating func readFingerprint() throws(FormatError) -> Fingerprint {
        Fingerprint(high: try readUInt64(), low: try readUInt64())
    }

    mutating func readStoredAnswer() throws(FormatError) -> StoredAnswer {
        switch try readByte() {
        case 0: return .receipt(try readReceipt())
        case 1: return .changed(step: try readInt(), version: try readInt())
        case 2: return .registered(epoch: try readInt(), lastSeq: try readInt())
        case 3: return .saved(try readCheckpointFacts())
        case 4: return .removed(try readCheckpointFacts())
        case 5: return .created(ModelUID(number: try readUInt32()), step: try readInt())
        case 6: return .deleted
        default: throw FormatError(expected: "the kind of an answer", offset: offset - 1)
        }
    }

    private mutating func readCheckpointFacts() throws(FormatError) -> CheckpointFacts {
        CheckpointFacts(
            id: try readUInt64(), step: try readInt(), version: try readInt(), created: try readInt(),
            bytes: try readInt())
    }

    mutating func readKeys() throws(FormatError) -> [KeyLedger.Entry] {
        try readArray { reader throws(FormatError) in
            KeyLedger.Entry(key: try reader.readRequestKey(), answer: try reader.readStoredAnswer())
        }
    }
}
