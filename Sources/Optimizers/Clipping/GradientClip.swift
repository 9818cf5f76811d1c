// The member `clip` of a definition: a bound on gradients, applied after they are unscaled and reduced.

import Names

/// A bound on gradients.
///
///     global_norm:  g *= min(1, global_norm / (|g| + 1e-6)),  |g| over all gradients, of all groups
///     value:        g = min(max(g, -value), value)
///
/// Source: torch.nn.utils.clip_grad_norm_ and clip_grad_value_.
public struct GradientClip: Sendable, Equatable {
    /// What is bounded.
    enum Bound: Sendable, Equatable {
        /// The Euclidean norm of all gradients together.
        case globalNorm(Double)
        /// The magnitude of each value.
        case value(Float)
    }

    /// The gradients that are clipped.
    enum Scope: String, CaseIterable, Sendable {
        /// Those of the update: of a push, or of a round after its reduction.
        case update
        /// Those of each push, before the reduction of its round.
        case worker
    }

    let bound: Bound
    let scope: Scope

    /// Reads `{"global_norm":1.0}` or `{"value":0.5}`, either with `"per":"worker"`.
    ///
    /// - Throws: `.invalid`: KeyError for an unknown member, TypeError for a value of the wrong type or a missing
    ///   bound, ValueError for a bound that is not positive, and for both bounds.
    init(_ setting: SettingValue, pointer: String) throws(OptimizerError) {
        let example = #"{"global_norm":1.0} or {"value":0.5}"#
        guard case .object = setting else {
            throw .wrongKind(pointer, "`clip`", "an object such as \(example)", setting, expected: example)
        }
        let settings = SettingReader(setting, pointer: pointer, owner: "`clip`", known: ["global_norm", "value"])
        scope = try settings.choice("per", default: .update)
        try settings.finish(.keyError)
        switch (settings.has("global_norm"), settings.has("value")) {
        case (true, false): bound = .globalNorm(try settings.number("global_norm", Self.positive))
        case (false, true): bound = .value(Float(try settings.number("value", Self.positive)))
        case (true, true):
            throw settings.complaint(
                "value", .valueError,
                "`clip` bounds the norm of the gradients or each of their values; remove `global_norm` or `value`.",
                example, "both")
        case (false, false):
            throw .invalid(
                pointer, .typeError, "`clip` needs a bound: write \(example).", expected: example, got: "no bound")
        }
    }

    /// Positive in float32, too: a smaller number would clip every gradient to 0.
    private static let positive = Bounds(words: "a number > 0") { Float($0) > 0 }

    /// The stage's name in a dry run: MindSpore's function.
    var stage: String {
        switch bound {
        case .globalNorm: "clip_by_global_norm"
        case .value: "clip_by_value"
        }
    }

    /// The factor that brings gradients of this norm within the bound; 1 if each value is bounded.
    func factor(forNorm norm: Double) -> Float {
        switch bound {
        case .globalNorm(let most): Float(min(1, most / (norm + 1e-6)))
        case .value: 1
        }
    }

    /// The bound on each value; infinity if the norm is bounded.
    var magnitude: Float {
        switch bound {
        case .globalNorm: .infinity
        case .value(let most): most
        }
    }

    /// The meaning of the setting, for comparisons of definitions.
    var canonical: SettingValue {
        let most =
            switch bound {
            case .globalNorm(let most): most
            case .value(let most): Double(most)
            }
        return .array([.string(stage), .number(most), .string(scope.rawValue)])
    }
}
