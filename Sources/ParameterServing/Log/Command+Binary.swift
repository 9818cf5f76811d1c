// Commands as records: a small head, then the floats as they are in memory, so that a push is written without a copy.
// Heads are padded to a multiple of 4 bytes, so that readers find the floats aligned.

import Journal
import Optimizers

extension Command {
    /// The record that replays to this command.
    func record(of uid: ModelUID, in layout: ArenaLayout) -> Record {
        if case .keyed(let key, _, let command) = self { return command.record(of: uid, in: layout, key: key) }
        return record(of: uid, in: layout, key: nil)
    }

    private func record(of uid: ModelUID, in layout: ArenaLayout, key: RequestKey?) -> Record {
        var head = ByteWriter()
        var values: [Bytes] = []
        switch self {
        case .push(let push): values = push.write(to: &head, in: layout)
        case .importValues(let arena, let present, let ifVersion):
            if ifVersion != nil { head.write(condition: ifVersion) }
            head.write(present) { $0.write($1) }
            values = arena.pieces(of: present, in: layout)
        case .reconfigure(let patch, let ifVersion):
            head.write(optional: patch.group) { $0.write($1) }
            head.write(patch.patch)
            head.write(condition: ifVersion)
        case .restore(let restoration):
            if restoration.arena == nil { head.write(Restoration.valuesStay) }
            head.write(restoration.optimizer)
            values = restoration.buffers.map { Bytes(UnsafeRawBufferPointer($0[0..<$0.count]), owner: $0) }
        case .register(let worker, _), .dismiss(let worker): head.write(worker)
        case .note(let answer): head.write(answer)
        case .keyed: break
        }
        head.pad(to: 4)
        let payload = [Bytes(copying: head.bytes)] + values + tail(key).bytes
        return Record(type: kind.rawValue, model: uid.number, payload: payload)
    }

    private func tail(_ key: RequestKey?) -> RecordTail {
        switch self {
        case .push(let push): RecordTail(basis: push.basedOn?.cursor, key: key, sighting: push.sighting)
        case .restore(let restoration): RecordTail(source: restoration.version, key: key)
        case .register(_, let sighting): RecordTail(key: key, sighting: sighting)
        case .importValues, .reconfigure, .dismiss, .note, .keyed: RecordTail(key: key)
        }
    }

    private mutating func add(_ tail: RecordTail) {
        switch self {
        case .push(var push):
            if let basis = tail.basis { push.basedOn = .cursor(basis) }
            push.sighting = tail.sighting
            self = .push(push)
        case .restore(var restoration):
            restoration.version = tail.source
            self = .restore(restoration)
        case .register(let worker, _): self = .register(worker: worker, sighting: tail.sighting)
        case .importValues, .reconfigure, .dismiss, .note, .keyed: break
        }
        self = under(tail.key)
    }

    private var kind: CommandKind {
        switch self {
        case .push: .push
        case .importValues(_, _, nil): .importValues
        case .importValues: .importIfVersion
        case .reconfigure: .reconfigure
        case .restore: .restore
        case .register: .register
        case .dismiss: .dismiss
        case .note: .note
        case .keyed(_, _, let command): command.kind
        }
    }

    /// Reads the output of `record(of:in:)`.
    init(
        _ kind: CommandKind, reading reader: inout ByteReader, layout: ArenaLayout, pool: ArenaPool
    ) throws(FormatError) {
        switch kind {
        case .push: self = try .push(reading: &reader, layout: layout, arena: try reader.makeArena(pool))
        case .importValues, .importIfVersion:
            let ifVersion = kind == .importIfVersion ? try reader.readCondition() : nil
            let present = try reader.readArray { reader throws(FormatError) in try reader.readBool() }
            try reader.skipPadding(to: 4)
            let arena = try reader.makeArena(pool)
            try arena.read(present, from: &reader, in: layout)
            self = .importValues(arena, present: present, ifVersion: ifVersion)
        case .reconfigure:
            let group = try reader.readOptional { reader throws(FormatError) in try reader.readName() }
            let patch = try reader.readSetting()
            let ifVersion = try reader.readCondition()
            try reader.skipPadding(to: 4)
            self = .reconfigure(SettingsPatch(group: group, patch: patch), ifVersion: ifVersion)
        case .register:
            self = .register(worker: try reader.readName())
            try reader.skipPadding(to: 4)
        case .dismiss:
            self = .dismiss(worker: try reader.readName())
            try reader.skipPadding(to: 4)
        case .restore:
            var ahead = reader
            let valuesStay = try ahead.readInt() == Restoration.valuesStay
            if valuesStay { reader = ahead }
            let state = try reader.readOptimizerState(slotBytes: reader.bytesLeft)
            let restoration = Restoration(arena: valuesStay ? nil : try reader.makeArena(pool), optimizer: state)
            try reader.skipPadding(to: 4)
            for buffer in restoration.buffers { try reader.readRawFloats(into: buffer.base, count: buffer.count) }
            self = .restore(restoration)
        case .note:
            self = .note(try reader.readStoredAnswer())
            try reader.skipPadding(to: 4)
        case .create, .createFromImage, .delete, .salvage:
            throw FormatError(expected: "a command of a model", offset: reader.offset)
        }
        add(try RecordTail(reading: &reader))
    }
}

extension Command {
    /// Reads a push; a push with a token is from the first release, in which other requests had no key.
    private static func push(
        reading reader: inout ByteReader, layout: ArenaLayout, arena: Arena
    ) throws(FormatError) -> Command {
        guard try reader.readBool() else {
            return .push(try Push(nil, reading: &reader, layout: layout, arena: arena))
        }
        switch try reader.readByte() {
        case 0:
            let key = try reader.readPushKey()
            return .push(try Push(key, reading: &reader, layout: layout, arena: arena))
        case 1:
            let text = try reader.readName()
            let push = try Push(nil, reading: &reader, layout: layout, arena: arena)
            let key = RequestKey(text: text, target: nil, body: push.fingerprint, time: RequestKey.always)
            return .keyed(key, ifVersion: nil, .push(push))
        default: throw FormatError(expected: "the kind of a key", offset: reader.offset - 1)
        }
    }
}

extension Push {
    fileprivate func write(to head: inout ByteWriter, in layout: ArenaLayout) -> [Bytes] {
        head.write(optional: key) { $0.write($1) }
        head.write(fingerprint.high)
        head.write(fingerprint.low)
        head.write(optional: basedOn?.step) { $0.write($1) }
        head.write(optional: loss) { $0.write($1) }
        head.write(nonFinite != nil)
        head.write(gradients.isDense) { $0.write($1) }
        let rows = gradients.sparse.sorted { $0.key < $1.key }
        head.write(rows) { head, entry in
            head.write(entry.key)
            head.write(entry.value.indices) { $0.write($1) }
            head.write(entry.value.values.count)
        }
        return arena.pieces(of: gradients.isDense, in: layout)
            + rows.map {
                Bytes(UnsafeRawBufferPointer($0.value.values[0..<$0.value.values.count]), owner: $0.value.values)
            }
    }

    fileprivate init(
        _ key: PushKey?, reading reader: inout ByteReader, layout: ArenaLayout, arena: Arena
    ) throws(FormatError) {
        let fingerprint = Fingerprint(high: try reader.readUInt64(), low: try reader.readUInt64())
        let basedOn = try reader.readOptional { reader throws(FormatError) in try reader.readInt() }
        let loss = try reader.readOptional { reader throws(FormatError) in try reader.readDouble() }
        let isNonFinite = try reader.readBool()
        let isDense = try reader.readArray { reader throws(FormatError) in try reader.readBool() }
        let rows = try reader.readArray { reader throws(FormatError) in
            try reader.readRows(in: layout)
        }
        try reader.skipPadding(to: 4)
        try arena.read(isDense, from: &reader, in: layout)
        let rowBytes = rows.reduce(0) { sum, rows in
            sum + rows.indices.count * MemoryLayout<Int>.stride + rows.count * MemoryLayout<Float>.stride
        }
        var sparse: [Int: SparseRows] = [:]
        for (index, indices, count) in rows {
            try reader.checkFloats(count)
            let values = try reader.makeFloats(count)
            try reader.readRawFloats(into: values.base, count: count)
            sparse[index] = SparseRows(indices: indices, values: values)
        }
        var gradients = Gradients(dense: arena.buffer, parameterCount: isDense.count)
        gradients.isDense = isDense
        gradients.sparse = sparse
        gradients.isFinite = !isNonFinite
        self.init(
            gradients: gradients, arena: arena, memory: rowBytes > 0 ? arena.owe(rowBytes) : nil, key: key,
            fingerprint: fingerprint, basedOn: basedOn.map(Basis.step), loss: loss,
            nonFinite: isNonFinite ? Complaint(pointer: "/gradients", exception: nil, detail: "non-finite") : nil)
    }
}

extension Arena {
    /// The ranges of the marked parameters, with neighbours joined.
    fileprivate func pieces(of present: [Bool], in layout: ArenaLayout) -> [Bytes] {
        var ranges: [Range<Int>] = []
        for (parameter, isPresent) in zip(layout.parameters, present) where isPresent && !parameter.range.isEmpty {
            if let last = ranges.last, last.upperBound == parameter.range.lowerBound {
                ranges[ranges.count - 1] = last.lowerBound..<parameter.range.upperBound
            } else {
                ranges.append(parameter.range)
            }
        }
        return ranges.map { Bytes(UnsafeRawBufferPointer(buffer[$0]), owner: self) }
    }

    fileprivate func read(
        _ present: [Bool], from reader: inout ByteReader, in layout: ArenaLayout
    ) throws(FormatError) {
        guard present.count == layout.parameters.count else {
            throw FormatError(expected: "\(layout.parameters.count) parameters", offset: reader.offset)
        }
        for (parameter, isPresent) in zip(layout.parameters, present) where isPresent {
            try reader.readRawFloats(into: buffer.base + parameter.range.lowerBound, count: parameter.range.count)
        }
    }
}

extension ByteWriter {
    /// Writes the number of versions in a condition, 0 for none, then the versions.
    fileprivate mutating func write(condition versions: [Int]?) {
        let versions = (versions ?? []).prefix(Int(UInt8.max))
        write(UInt8(versions.count))
        for version in versions { write(version) }
    }

    /// Writes a push's key.
    mutating func write(_ key: PushKey) {
        // 1 is a token of the first release.
        write(UInt8(0))
        write(key.worker)
        write(key.epoch)
        write(key.seq)
    }
}

extension ByteReader {
    /// Reads a condition; nil if there is none.
    fileprivate mutating func readCondition() throws(FormatError) -> [Int]? {
        let count = try readByte()
        var versions: [Int] = []
        for _ in 0..<count { versions.append(try readInt()) }
        return versions.isEmpty ? nil : versions
    }

    /// Reads which rows of which parameter follow, and the total number of values.
    fileprivate mutating func readRows(
        in layout: ArenaLayout
    ) throws(FormatError) -> (index: Int, indices: [Int], count: Int) {
        let index = try readInt()
        let indices = try readArray { reader throws(FormatError) in try reader.readInt() }
        let count = try readInt()
        guard layout.parameters.indices.contains(index) else {
            throw FormatError(expected: "a parameter's place", offset: offset)
        }
        let shape = layout.parameters[index].shape
        let rows = 0..<(shape.dimensions.first ?? 0)
        guard indices.allSatisfy(rows.contains), indices.count * shape.rowCount == count else {
            throw FormatError(expected: "rows of \(layout.parameters[index].name)", offset: offset)
        }
        return (index, indices, count)
    }

    /// Reads a push's key.
    fileprivate mutating func readPushKey() throws(FormatError) -> PushKey {
        PushKey(worker: try readName(), epoch: try readInt(), seq: try readInt())
    }
}

extension Restoration {
    /// Precedes a state without the parameters' values; no state starts with it.
    fileprivate static let valuesStay = -3

    /// The floats in stored order: the arena, then each slot and each average.
    fileprivate var buffers: [FloatBuffer] { (arena.map { [$0.buffer] } ?? []) + optimizer.buffers }
}
