// The first half of a start: the newest intact snapshot of each model, and the newest list of models.

import Journal
import Names

extension DirectoryRecovery {
    func loadSnapshots() throws(JournalError) {
        let listing = try directory.snapshots.list()
        for damage in listing.damaged.values.sorted(by: { $0.id < $1.id }) { note(damage.reason, "snapshots/") }
        for info in listing.snapshots.reversed() {
            endOfSnapshots = max(endOfSnapshots, info.position)
            do throws(JournalError) {
                switch DataDirectory.Kind(rawValue: info.kind) {
                case .registry: try loadCensus(info)
                case .model: try loadModel(info)
                case .checkpoint, nil: break
                }
            } catch {
                guard case .corrupted(_, _, let reason) = error else { throw error }
                note(error, "snapshots/")
                if (try? directory.snapshots.open(info.id).verify()) != nil {
                    unreadable[ModelUID(number: info.model)] = (info, reason)
                }
            }
        }
        shelveUnreadable()
        unmarked = (models.values.map(\.firstPosition) + covered.values).sorted(by: >)
    }

    private func note(_ damage: JournalError, _ prefix: String = "") {
        summary.damaged.append("\(prefix)\(damage)")
        firstDamage = firstDamage ?? damage
    }

    private func loadCensus(_ info: SnapshotInfo) throws(JournalError) {
        let listed = try ImageSource(try directory.snapshots.open(info.id)).census()
        state.add(list: info.id, listed, uids: UIDSource(label: info.label), position: info.position)
    }

    /// Loads a model's snapshot unless a newer one has been loaded.
    private func loadModel(_ info: SnapshotInfo) throws(JournalError) {
        let uid = ModelUID(number: info.model)
        covered[uid] = min(covered[uid] ?? .max, info.position)
        guard state.models[uid] == nil else { return }
        let head = try ImageSource(try directory.snapshots.open(info.id)).head().head
        if isServed(head.name, uid, head.settings, head.parameters), let state = try assemble(info, head.name, uid) {
            models[uid] = ReplayedModel(state, assembly, backlog)
            summary.snapshots += 1
        }
        state.add(uid, name: Name(head.name), position: head.position)
    }

    /// The state of a snapshot; nil, and noted, if it is inconsistent.
    private func assemble(
        _ info: SnapshotInfo, _ name: String, _ uid: ModelUID
    ) throws(JournalError) -> ModelState? {
        do {
            return try assembly.assemble(ImageSource(try directory.snapshots.open(info.id)))
        } catch let error as JournalError {
            throw error
        } catch let error as ServingError {
            guard error.isOfMemory else {
                shelve(name, uid, .refused("Snapshot \(info.id) does not fit: \(error.reason)"))
                return nil
            }
            throw .replayRefused(position: info.position, reason: "snapshot \(info.id): \(error)")
        } catch {
            throw .replayRefused(position: info.position, reason: "snapshot \(info.id): \(error)")
        }
    }
}
