// The content of a request about a name, and the facts about the model that has the name: values, so that
// DirectoryState decides from its arguments alone.

import Names
import Optimizers

/// A request to create a model.
struct Creation: Sendable {
    var name: Name
    var source: ModelSource
    /// Whether to replace a model of that name.
    var replacing = false
    /// Whether any model of that name is an error.
    var onlyIfAbsent = false
    /// Whether to accept a model of that name if it has the same parameters.
    var joining = false
    var condition: ModelCondition?
    var key: RequestKey?

    /// Refuses a request for a different model than the one that has its name.
    ///
    /// - Throws: `modelExists`, `modelDiffers`; `invalid` for an invalid definition, whose mistakes help more than the
    ///   differences.
    func check(_ layout: ArenaLayout, _ fingerprint: Fingerprint, _ catalogue: Catalogue) throws(ServingError) {
        try source.definition.check(catalogue)
        if joining {
            let differences = source.definition.differences(from: layout)
            if !differences.isEmpty { throw .modelDiffers(name.text, differences) }
        } else {
            if try !source.fingerprints(catalogue).contains(fingerprint) { throw .modelExists(name.text) }
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
    /// A model that accepts commands; the fingerprint is that of its creation.
    case served(ModelUID, version: Int, layout: ArenaLayout, fingerprint: Fingerprint)
    /// A model in the directory that is not served: its version is unknown.
    case unavailable(UnavailableModel)

    var uid: ModelUID {
        switch self {
        case .served(let uid, _, _, _): uid
        case .unavailable(let model): model.uid
        }
    }
}
