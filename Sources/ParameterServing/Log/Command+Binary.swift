// Commands as records: a small head, then the floats as they are in memory, so that a push is written without a copy.
// Heads are padded to a multiple of 4 bytes, so that readers find the floats aligned.

import Journal
import Optimizers

extension Command {
    /// The record that replays to this command.
    func record(of uid: ModelUID, in layout: ArenaLayout) -> Record {
        var tail = RecordTail()
        let command = unwrapped(into: &tail)
        command.fill(&tail)
        return command.record(of: uid, in: layout, tail)
    }

    /// The command without its key and the time of its admission, which its record has in the tail.
    private func unwrapped(into tail: inout RecordTail) -> Command {
        switch self {
        case .keyed(let key, _, let command):
            tail.key = key
            return command.unwrapped(into: &tail)
        case .admitted(let command, let time):
            tail.sighting = Sighting(time: time)
            return command.unwrapped(into: &tail)
        case .push, .closeRound, .importValues, .reconfigure, .grow, .restore, .register, .endLeases, .dismiss, .note,
            .report:
            return self
        }
    }

    private func record(of uid: ModelUID, in layout: ArenaLayout, _ tail: RecordTail) -> Record {
        var head = ByteWriter()
        var values: [Bytes] = []
        switch self {
        case .push(let push): values = push.write(to: &head, in: layout)
        case .importValues(let arena, let present, let ifVersion):
            if ifVersion != nil { head.write(condition: ifVersion) }
            head.write(present) { $0.write($1) }
            values = arena.pieces(of: present, in: layout)
        case .reconfigure(let patch, let ifVersion):
            if patch.placesParameters { head.write(LayoutRecord.patch.rawValue) }
            head.write(optional: patch.group) { $0.write($1) }
            head.write(patch.patch)
            head.write(condition: ifVersion)
        case .grow(let growth, let ifVersion):
            head.write(LayoutRecord.growth.rawValue)
            head.write(condition: ifVersion)
            values = growth.encoded(into: &head).map { Bytes(UnsafeRawBufferPointer($0.values), owner: $0.owner) }
        case .restore(let restoration):
            if let placement = layoutChange(in: layout) {
                head.write(LayoutRecord.restore.rawValue)
                head.write(placement)
            }
            if restoration.arena == nil { head.write(Restoration.valuesStay) }
            head.write(restoration.optimizer)
            values = restoration.buffers.map { Bytes(UnsafeRawBufferPointer($0[0..<$0.count]), owner: $0) }
        case .register(let registration, _): head.write(registration)
        case .endLeases(let ended): head.write(ended) { $0.write($1) }
        case .dismiss(let worker): head.write(worker)
        case .note(let answer): head.write(answer)
        case .closeRound(let closing):
            head.write(optional: closing.round) { $0.write($1) }
            head.write(closing.action.rawValue)
        case .report(let report): head.write(report)
        case .keyed, .admitted: break
        }
        head.pad(to: 4)
        let payload = [Bytes(copying: head.bytes)] + values + tail.bytes
        let kind = layoutChange(in: layout) == nil ? kind : .layout
        return Record(type: kind.rawValue, model: uid.number, payload: payload)
    }

    /// The placement that a restore brings back in place of the current one; nil for any other command.
    private func layoutChange(in layout: ArenaLayout) -> Placement? {
        guard case .restore(let restoration) = self, let placement = restoration.placement,
            placement != layout.placement
        else { return nil }
        return placement
    }

    /// Adds the fields of the command itself to the tail of its record.
    private func fill(_ tail: inout RecordTail) {
        switch self {
        case .push(let push):
            tail.basis = push.basedOn?.cursor
            tail.sighting = push.sighting
            tail.examples = push.examples
            tail.metrics = push.metrics
            tail.hyperparameters = push.hyperparameters
        case .restore(let restoration):
            tail.source = restoration.version
            tail.checkpoint = restoration.checkpoint
        case .register(_, let sighting): tail.sighting = sighting
        case .report(let report): tail.sighting = report.sighting
        case .reconfigure(let patch, _): tail.changesConsistency = patch.hasConsistency
        case .importValues, .grow, .endLeases, .dismiss, .note, .closeRound, .keyed, .admitted: break
        }
    }

    private mutating func add(_ tail: RecordTail) {
        switch self {
        case .push(var push):
            if let basis = tail.basis { push.basedOn = .cursor(basis) }
            push.sighting = tail.sighting
            push.examples = tail.examples
            push.metrics = tail.metrics
            push.hyperparameters = tail.hyperparameters
            self = .push(push)
        case .restore(var restoration):
            restoration.version = tail.source
            restoration.checkpoint = tail.checkpoint
            self = Self.restore(restoration).admitted(tail.sighting)
        case .register(let registration, _): self = .register(registration, sighting: tail.sighting)
        case .report(var report):
            report.sighting = tail.sighting
            self = .report(report)
        case .reconfigure(var patch, let ifVersion):
            patch.changesConsistency = tail.changesConsistency
            self = Self.reconfigure(patch, ifVersion: ifVersion).admitted(tail.sighting)
        case .importValues, .grow, .endLeases, .dismiss, .note, .closeRound: self = admitted(tail.sighting)
        case .keyed, .admitted: break
        }
        self = under(tail.key)
    }

    /// The command with the time of its admission, if its record has it.
    private func admitted(_ sighting: Sighting?) -> Command { sighting.map { .admitted(self, at: $0.time) } ?? self }

    private var kind: CommandKind {
        switch self {
        case .push: .push
        case .importValues(_, _, nil): .importValues
        case .importValues: .importIfVersion
        case .reconfigure(let patch, _): patch.placesParameters ? .layout : .reconfigure
        case .grow: .layout
        case .restore: .restore
        case .register(let registration, _): registration.isCounted ? .registerCounted : .register
        case .endLeases: .endLeases
        case .dismiss: .dismiss
        case .note: .note
        case .closeRound: .closeRound
        case .report: .report
        case .keyed(_, _, let command), .admitted(let command, _): command.kind
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
        case .reconfigure: self = try .patch(reading: &reader)
        case .register, .registerCounted:
            self = .register(try reader.readRegistration(isCounted: kind == .registerCounted))
            try reader.skipPadding(to: 4)
        case .endLeases:
            self = .endLeases(try reader.readEndedLeases())
            try reader.skipPadding(to: 4)
        case .dismiss:
            self = .dismiss(worker: try reader.readName())
            try reader.skipPadding(to: 4)
        case .restore:
            self = .restore(try Restoration(reading: &reader, pool))
        case .layout: self = try .layout(reading: &reader, pool)
        case .note:
            self = .note(try reader.readStoredAnswer())
            try reader.skipPadding(to: 4)
        case .closeRound:
            self = .closeRound(try reader.readRoundClosing())
            try reader.skipPadding(to: 4)
        case .report:
            self = .report(try reader.readReport())
            try reader.skipPadding(to: 4)
        case .create, .createFromImage, .createWithRound, .delete, .salvage:
            throw FormatError(expected: "a command of a model", offset: reader.offset)
        }
        add(try RecordTail(reading: &reader))
    }
}

extension Command {
    /// Reads a change of the layout.
    private static func layout(reading reader: inout ByteReader, _ pool: ArenaPool) throws(FormatError) -> Command {
        switch LayoutRecord(rawValue: try reader.readByte()) {
        case .growth:
            let ifVersion = try reader.readCondition()
            return .grow(try Growth(reading: &reader), ifVersion: ifVersion)
        case .restore:
            let placement = try reader.readPlacement()
            return .restore(try Restoration(reading: &reader, ArenaPool(placement, budget: pool.budget)))
        case .patch: return try .patch(reading: &reader)
        case nil: throw FormatError(expected: "a change of the layout", offset: reader.offset - 1)
        }
    }

    /// Reads a patch.
    private static func patch(reading reader: inout ByteReader) throws(FormatError) -> Command {
        let group = try reader.readOptional { reader throws(FormatError) in try reader.readName() }
        let patch = try reader.readSetting()
        let ifVersion = try reader.readCondition()
        try reader.skipPadding(to: 4)
        return .reconfigure(SettingsPatch(group: group, patch: patch), ifVersion: ifVersion)
    }

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

    /// Reads a push's key.
    mutating func readPushKey() throws(FormatError) -> PushKey {
        PushKey(worker: try readName(), epoch: try readInt(), seq: try readInt())
    }
}

extension Restoration {
    /// Reads the state of a restore.
    fileprivate init(reading reader: inout ByteReader, _ pool: ArenaPool) throws(FormatError) {
        var ahead = reader
        let valuesStay = try ahead.readInt() == Restoration.valuesStay
        if valuesStay { reader = ahead }
        let state = try reader.readOptimizerState(slotBytes: reader.bytesLeft)
        let restoration = Restoration(arena: valuesStay ? nil : try reader.makeArena(pool), optimizer: state)
        try reader.skipPadding(to: 4)
        for buffer in restoration.buffers { try reader.readRawFloats(into: buffer.base, count: buffer.count) }
        self = restoration
    }

    /// Precedes a state without the parameters' values; no state starts with it.
    fileprivate static let valuesStay = -3

    /// The floats in stored order: the arena, then each slot and each average.
    fileprivate var buffers: [FloatBuffer] { (arena.map { [$0.buffer] } ?? []) + optimizer.buffers }
}
