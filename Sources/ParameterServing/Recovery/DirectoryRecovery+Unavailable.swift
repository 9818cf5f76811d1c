// Models in the directory that cannot be served: excluded on purpose, crashed by their rule, or not buildable by this
// daemon. Their names, their files and the records that they need are kept.

import Names
import Optimizers

extension DirectoryRecovery {
    /// Whether a model can be built and updated; notes the reason if not.
    func isServed(
        _ name: String, _ uid: ModelUID, _ settings: SettingValue, _ parameters: [ParameterDefinition]
    ) -> Bool {
        let reason: UnavailableModel.Reason
        if assembly.configuration.withoutModels.contains(Name(name)) {
            reason = .leftOut
        } else if let crash = crashes[uid] {
            reason = .crashed(crash)
        } else if let refusal = assembly.refusal(settings, parameters) {
            reason = .refused(refusal)
        } else {
            return true
        }
        shelve(name, uid, reason)
        return false
    }

    /// Keeps models whose only remaining data is a snapshot of an earlier release that this one cannot read.
    func shelveUnreadable() {
        for (uid, snapshot) in unreadable where state.models[uid] == nil {
            guard let name = state.listedName(of: uid) else { continue }
            shelve(name.text, uid, .refused("Snapshot \(snapshot.info.id): \(snapshot.reason)."))
            state.add(uid, name: name, position: snapshot.info.position)
        }
    }

    /// Stops serving a model that this daemon cannot build any more after the changes in later records.
    func shelve(_ model: ReplayedModel, _ reason: UnavailableModel.Reason) {
        models[model.uid] = nil
        shelve(model.name, model.uid, reason)
    }

    func shelve(_ name: String, _ uid: ModelUID, _ reason: UnavailableModel.Reason) {
        unavailable[uid] = UnavailableModel(name: name, uid: uid, reason: reason)
    }

    /// The first journal position that a model needs if it is not served.
    func firstRecordNeeded(by model: UnavailableModel) -> UInt64 {
        min(covered[model.uid] ?? .max, state.models[model.uid]?.position ?? 1)
    }
}
