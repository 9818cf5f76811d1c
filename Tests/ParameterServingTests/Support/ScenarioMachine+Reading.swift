// The other drivers of the core in a scenario: a start, a rollback and a salvage, applied to the records so far.

import Names
import Optimizers

@testable import Journal
@testable import ParameterServing

extension ScenarioMachine {
    /// Reads the records as a start does, without the limit of workers and without the time, and compares the states to
    /// the bit.
    func replay() throws {
        let (again, states) = try read { _ in }
        tell(again.models == directory.models ? "the same models" : "other models: \(again.models)")
        let answers = again.keys.entries.map { "\($0.key.text) \($0.answer)" }
        if answers != directory.keys.entries.map({ "\($0.key.text) \($0.answer)" }) {
            tell("other answers: \(answers)")
        }
        for uid in states.keys.sorted(by: { $0.number < $1.number }) {
            guard let state = states[uid], let live = models[uid] else { continue }
            let isSame = state.view.digest == live.view.digest
            tell("\(uid): \(isSame ? "the same state" : "another state"), \(state.line)")
        }
    }

    /// Goes back to a step; if the records pass it more than once, the last time counts.
    func rollback(_ command: ScenarioCommand) throws {
        let (uid, step) = (try uid(of: command.name), command.integer("step"))
        var found: ModelImage?
        _ = try read { states in found = try states[uid]?.image(ifAt: step) ?? found }
        guard let found else { return tell("the records do not pass that step") }
        try submit(.restore(Restoration(found)), to: command.name)
    }

    /// Continues as after the loss of this many records that clients may have seen.
    func salvage(losing records: Int) {
        let gap = directory.gap(of: UInt64(records))
        let position = log(gap.record)
        tell("record \(position)")
        guard case .skip(let versions, let uids) = directory.apply(.salvage(gap), at: position) else { return }
        for uid in uids {
            models[uid]?.skip(versions: versions, at: position)
            if let state = models[uid] { tell("skip \(uid): \(state.line)") }
        }
    }

    /// Reads all records; calls `each` with the models after every record.
    private func read(
        _ each: ([ModelUID: ModelState]) throws -> Void
    ) throws -> (DirectoryState, [ModelUID: ModelState]) {
        var configuration = ServingConfiguration(
            memoryLimit: 1 << 24, receiptWindow: assembly.configuration.receiptWindow, threads: 0)
        configuration.requestKeys = assembly.configuration.requestKeys
        let assembly = ModelAssembly(configuration, .builtin)
        var directory = DirectoryState(keys: KeyLedger(configuration))
        var states: [ModelUID: ModelState] = [:]
        for (index, record) in records.enumerated() {
            let payload = record.payload.flatMap { Array($0.content) }
            try payload.withUnsafeBytes { payload in
                let stored = StoredRecord(
                    position: UInt64(index) + 1, type: record.type, flags: 0, model: record.model, payload: payload)
                try read(stored, &directory, &states, assembly)
            }
            try each(states)
        }
        return (directory, states)
    }

    private func read(
        _ record: StoredRecord, _ directory: inout DirectoryState, _ states: inout [ModelUID: ModelState],
        _ assembly: ModelAssembly
    ) throws {
        let head = try RecordHead(of: record)
        var reader = ByteReader(record.payload)
        var made: CreationRecord?
        if case .create = head { made = try CreationRecord(try CommandKind(of: record), reading: &reader) }
        switch directory.apply(head, under: made?.key, step: made?.source.step ?? 0, at: record.position) {
        case .create(let uid, let retiring):
            for old in retiring { states[old] = nil }
            guard let creation = made else { return }
            states[uid] = try assembly.assemble(creation.name, uid, creation.source)
            states[uid]?.begin(at: record.position)
        case .command(let uid, let kind):
            guard let (layout, pool) = states[uid].map({ ($0.layout, $0.pool) }) else { return }
            let command = try Command(kind, reading: &reader, layout: layout, pool: pool)
            _ = states[uid]?.apply(command, at: record.position)
        case .skip(let versions, let uids):
            for uid in uids { states[uid]?.skip(versions: versions, at: record.position) }
        case .retire(let uid): states[uid] = nil
        case .none: break
        }
    }
}
