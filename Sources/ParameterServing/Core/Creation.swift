// What a request wants of a name, and what it has to know of the model that has the name: values, so that DirectoryState
// decides without looking anywhere.

import Names
import Optimizers

/// A request to create a model.
struct Creation: Sendable {
    var name: Name
    var source: ModelSource
    /// Whether a model of that name gives way.
    var replacing = false
    /// Whether any model of that name is an error.
    var onlyIfAbsent = false
    /// Whether a model of that name will do that has the same parameters, whatever made it.
    var joining = false
    var condition: ModelCondition?
    var key: RequestKey?

    /// Refuses a request that asks for another model than the one that has its name.
    ///
    /// - Throws: `modelExists`, `modelDiffers`; `invalid` for a definition that is wrong in itself: it differs from
    ///   everything, and what is wrong with it helps more.
    func check(_ layout: ArenaLayout, _ fingerprint: Fingerprint, _ catalogue: Catalogue) throws(ServingError) {
        try source.definition.check(catalogue)
        if joining {
            let differences = source.definition.differences(from: layout)
            if !differences.isEmpty { throw .modelDiffers(name.text, differences) }
        } else {
            let fingerprints = [try source.fingerprint(catalogue), source.writtenFingerprint]
            if !fingerprints.contains(fingerprint) { throw .modelExists(name.text) }
        }
    }
}

/// A request to delete a model.
struct Deletion: Sendable {
    var name: Name
    var condition: ModelCondition?
    var key: RequestKey?
}

/// The model that has a name, as far as decisions depend on it.
enum Holder {
    /// One that takes commands; the fingerprint tells of what it was created.
    case served(ModelUID, version: Int, layout: ArenaLayout, fingerprint: Fingerprint)
    /// One that is in the directory and is not served: its version is not known.
    case unavailable(UnavailableModel)

    var uid: ModelUID {
        switch self {
        case .served(let uid, _, _, _): uid
        case .unavailable(let model): model.uid
        }
    }
}
