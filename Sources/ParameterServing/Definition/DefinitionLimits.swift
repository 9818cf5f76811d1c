// Limits on the work that a definition or a patch may cause. They apply to requests only: a journal may contain more,
// from earlier releases.

import Names
import Optimizers

/// Limits on the work that a definition causes before it is built.
public enum DefinitionLimits {
    /// The most pieces of all sequences of rates together.
    public static let sequenceParts = 1_000
    /// The most comparisons for groups: patterns times parameters, or a patch's groups times the model's.
    public static let groupMatches = 1_000_000
    /// The most pushes of a round that krum compares, each with every other.
    public static let krumPushes = 64

    /// - Throws: `.invalid` for settings whose sequences have too many pieces.
    public static func checkSequences(_ settings: SettingValue) throws(OptimizerError) {
        guard settings.sequenceParts > sequenceParts else { return }
        throw .invalid(
            Complaint(
                pointer: "", exception: .valueError,
                detail: "sequences of rates can have at most \(sequenceParts) parts in total; send an array of rates",
                expected: "at most \(sequenceParts) parts", got: "\(settings.sequenceParts)"))
    }

    /// - Throws: `.invalid` for groups with so many patterns that matching them takes too long.
    static func checkGroups(_ definition: ModelDefinition) throws(OptimizerError) {
        let groups = definition.settings["groups"]?.elements ?? []
        let patterns = groups.reduce(0) { sum, group in
            sum + (group["params"]?.elements ?? []).count { $0.stringValue.map { Glob.isPattern(Name($0)) } ?? false }
        }
        try check(
            patterns, times: definition.parameters.count, "patterns", "parameters", "name the parameters instead")
    }

    /// - Throws: `.invalid` if `count` times `others` is too large.
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
    /// Refuses definitions that take too long to build.
    ///
    /// - Throws: `invalid`.
    func checkLimits() throws(ServingError) {
        try wrapping { () throws(OptimizerError) in
            try DefinitionLimits.checkSequences(settings)
            try DefinitionLimits.checkGroups(self)
            // A definition that cannot be read is refused when it is built, together with its other mistakes.
            if let consistency = try? Consistency(of: settings) { try consistency.checkPushes() }
        }
    }
}

extension SettingValue {
    /// The pieces of all its sequences of rates.
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
