// How much work a definition or a patch may ask for. Asked of requests only: a journal may hold more, which earlier releases
// took.

import Names
import Optimizers

/// Bounds on what a definition makes the server do before it is built.
public enum DefinitionLimits {
    /// The most parts of all sequences of rates together.
    public static let sequenceParts = 1_000
    /// The most comparisons for groups: patterns times parameters, or the groups of a patch times those of the model.
    public static let groupMatches = 1_000_000

    /// - Throws: `.invalid` for settings whose sequences have too many parts.
    public static func checkSequences(_ settings: SettingValue) throws(OptimizerError) {
        guard settings.sequenceParts > sequenceParts else { return }
        throw .invalid(
            Complaint(
                pointer: "", exception: .valueError,
                detail: "sequences of rates can have at most \(sequenceParts) parts in total; send an array of rates",
                expected: "at most \(sequenceParts) parts", got: "\(settings.sequenceParts)"))
    }

    /// - Throws: `.invalid` for groups with so many patterns that to match them takes too long.
    static func checkGroups(_ definition: ModelDefinition) throws(OptimizerError) {
        let groups = definition.settings["groups"]?.elements ?? []
        let patterns = groups.reduce(0) { sum, group in
            sum + (group["params"]?.elements ?? []).count { $0.stringValue.map { Glob.isPattern(Name($0)) } ?? false }
        }
        try check(
            patterns, times: definition.parameters.count, "patterns", "parameters", "name the parameters instead")
    }

    /// - Throws: `.invalid` where `count` times `others` is too much.
    static func check(
        _ count: Int, times others: Int, _ what: String, _ which: String, _ remedy: String
    ) throws(OptimizerError) {
        guard count > groupMatches / max(1, others) else { return }
        throw .invalid(
            Complaint(
                pointer: "/groups", exception: .valueError,
                detail: "\(count) \(what) and \(others) \(which) are more than \(groupMatches) comparisons; \(remedy)",
                expected: "at most \(groupMatches / max(1, others)) \(what)", got: "\(count)"))
    }
}

extension ModelDefinition {
    /// Refuses what takes too long to build.
    ///
    /// - Throws: `invalid`.
    func checkLimits() throws(ServingError) {
        try wrapping { () throws(OptimizerError) in
            try DefinitionLimits.checkSequences(settings)
            try DefinitionLimits.checkGroups(self)
        }
    }
}

extension SettingValue {
    /// The parts of all sequences of rates in it.
    fileprivate var sequenceParts: Int {
        switch self {
        case .array(let elements): return elements.reduce(0) { $0 + $1.sequenceParts }
        case .object(let entries):
            let own = self["schedule"] == nil ? 0 : self["of"]?.elements?.count ?? 0
            return entries.reduce(own) { $0 + $1.value.sequenceParts }
        default: return 0
        }
    }
}
