// The values of settings that the definition of a model does not write, for events.

import Names
import Optimizers

extension ModelFacts {
    /// The value in effect of a setting that the definition does not write; null if there is none.
    ///
    /// - Parameter path: its keys in the definition, with the name of a group in place of its index.
    func standing(at path: [Name]) -> SettingValue {
        guard path.first == "consistency" else { return plan.standing(at: path) }
        let whole = consistency.canonicalWithMinPushes ?? consistency.canonical
        switch path.count {
        case 1: return whole
        case 2: return whole[path[1]] ?? .null
        default: return .null
        }
    }
}
