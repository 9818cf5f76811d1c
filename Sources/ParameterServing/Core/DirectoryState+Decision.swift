// The refusals of a directory before a creation or a deletion is logged, and its notes about names, uids and keys that
// are on their way to the log. Everything outside the directory is an argument.

import Names
import Optimizers
import Threading

extension DirectoryState {
    /// What the registry must do about a creation.
    enum Verdict: Equatable {
        /// Build it, log it as the `count`-th of the directory, and apply it; if one of these fails, forget it.
        case create(ModelUID, count: UInt64)
        /// Nothing: the existing model is the requested one.
        case keep
        /// Decide again when the creation of that name that is in progress has ended.
        case wait
        /// Executed before; this is what it created.
        case repeated(ModelUID, step: Int)
    }

    /// Judges a creation, in this order: its key, the name, the content, the existing model.
    ///
    /// - Parameters:
    ///   - creation: as it arrived.
    ///   - holder: the existing model of the name; nil if there is none.
    ///   - catalogue: the available optimizers.
    ///   - mostModels: the largest number of models.
    ///   - closed: why nothing is logged any more; nil while the log works.
    mutating func decide(
        _ creation: Creation, on holder: Holder?, _ catalogue: Catalogue, mostModels: Int, closed: ServingError?
    ) throws(ServingError) -> Verdict {
        check(holder, creation.name)
        if let key = creation.key, let answer = try keys.find(key) {
            guard case .created(let uid, let step) = answer else { throw .keyReused(key: key.text.text) }
            return .repeated(uid, step: step)
        }
        if underWay.keys.contains(creation.name) { return .wait }
        if let closed { throw closed }
        try creation.source.definition.checkNames()
        try creation.source.definition.checkLimits()
        try creation.condition?.check(holder, creation.name)
        guard try isNew(creation, holder, catalogue, mostModels) else { return .keep }
        underWay.updateValue(holder?.uid, forKey: creation.name)
        if let key = creation.key { keys.begin(key) }
        let (uid, count) = nextUID()
        return .create(uid, count: count)
    }

    /// Whether a model must be made; false if the existing one is the requested one.
    private func isNew(
        _ creation: Creation, _ holder: Holder?, _ catalogue: Catalogue, _ mostModels: Int
    ) throws(ServingError) -> Bool {
        switch holder {
        case nil:
            let added = underWay.values.count { replaced in replaced.map { models[$0] == nil } ?? true }
            if models.count + added >= mostModels { throw .tooManyModels(limit: mostModels) }
            return true
        case .unavailable(let model):
            guard creation.replacing, !creation.onlyIfAbsent else { throw .modelUnavailable(model) }
            return true
        case .served(let uid, _, let layout, let fingerprint):
            if creation.onlyIfAbsent { throw .preconditionFailed(expected: "*", current: "\(uid)") }
            if !creation.replacing { try creation.check(layout, fingerprint, catalogue) }
            return creation.replacing
        }
    }

    /// Judges a deletion, in this order: its key, then the existing model.
    ///
    /// - Returns: The model to delete, to be logged and applied or forgotten; nil if the request was executed before.
    mutating func decide(
        _ deletion: Deletion, on holder: Holder?, closed: ServingError?
    ) throws(ServingError) -> ModelUID? {
        check(holder, deletion.name)
        if let key = deletion.key, let answer = try keys.find(key) {
            guard answer == .deleted else { throw .keyReused(key: key.text.text) }
            return nil
        }
        if let closed { throw closed }
        guard let holder else {
            let nearest = NearestNames.of(deletion.name, among: models.values.map(\.name))
            throw .unknownModel(deletion.name.text, nearest: nearest.map(\.text))
        }
        try deletion.condition?.check(holder, deletion.name)
        if let key = deletion.key { keys.begin(key) }
        return holder.uid
    }

    private func check(_ holder: Holder?, _ name: Name) {
        invariant(holder.map { models[$0.uid]?.name == name } ?? true, "1: another model is called \(name)")
    }

    /// Reverts the notes of `decide`, for a creation that could not be built or logged.
    mutating func forget(_ creation: Creation) {
        let was = underWay.removeValue(forKey: creation.name)
        invariant(was != nil, "6: no creation of \(creation.name) is in progress")
        if let key = creation.key { keys.abandon(key) }
    }

    /// As above, for a deletion that could not be logged.
    mutating func forget(_ deletion: Deletion) {
        if let key = deletion.key { keys.abandon(key) }
    }
}
