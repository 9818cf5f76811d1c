// Everything that can be wrong with a definition or a step. The API layer's error map is the only reader that knows
// statuses; this module knows the exception that MindSpore would have raised.

import Names

/// The exception that MindSpore or the document behind it raises for the same mistake.
public enum ExceptionClass: String, Sendable, Equatable {
    /// A value of the wrong kind.
    case typeError = "TypeError"
    /// A value of the right kind that is not allowed.
    case valueError = "ValueError"
    /// A name that does not exist.
    case keyError = "KeyError"
    /// Something that only shows when it runs.
    case runtimeError = "RuntimeError"
}

/// What is wrong, where, and what to change.
public struct Complaint: Mistake, Sendable, Equatable {
    /// JSON pointer into the definition, "/groups/0/lr"; empty for the whole of it.
    public var pointer: String
    /// The exception MindSpore raises for it, where there is one.
    public var exception: ExceptionClass?
    /// A sentence that says what to change.
    public var detail: String
    /// What would have been right, in a few words.
    public var expected: Finding?
    /// What was there instead.
    public var got: Finding?
    /// How many mistakes it stands for: more than one where further ones are only counted.
    public var count = 1

    /// Makes a complaint.
    public init(
        pointer: String, exception: ExceptionClass?, detail: String, expected: String? = nil, got: String? = nil
    ) {
        self.pointer = pointer
        self.exception = exception
        self.detail = detail
        self.expected = expected.map(Finding.words)
        self.got = got.map(Finding.words)
    }
}

/// Why a definition or a step was refused.
public enum OptimizerError: Error, Sendable, Equatable {
    /// The definition, or a gradient, is not acceptable; nothing changed.
    case invalid(Complaint)
    /// The learning rate of `group` has `length` entries and step `step` (counted from 0) is past the last.
    case learningRateExhausted(group: String, step: Int, length: Int)
    /// A gradient holds NaN or infinity and `on_nonfinite` is `reject`; nothing changed.
    case nonFiniteGradient(parameter: String)
    /// Finite gradients made a parameter that is not finite, or a slot of it: the new values must not be published.
    case diverged(parameter: String, slot: String? = nil)
    /// More than a thousand overflows in a row: the loss scale cannot be lowered further.
    case lossScaleStuck(overflows: Int)
    /// A number of the state that this update would raise is the last that can be counted; nothing changed.
    case stepsUsedUp(count: Name)
    /// The system has no memory for so many bytes; nothing changed.
    case noMemory(bytes: Int)
}

extension OptimizerError {
    /// The exception that MindSpore raises for it, where it raises one.
    public var exception: ExceptionClass? {
        switch self {
        case .invalid(let complaint): return complaint.exception
        case .nonFiniteGradient: return .valueError
        case .learningRateExhausted, .lossScaleStuck, .stepsUsedUp: return .runtimeError
        case .diverged, .noMemory: return nil
        }
    }

    static func invalid(
        _ pointer: String, _ exception: ExceptionClass?, _ detail: String, expected: String? = nil, got: String? = nil
    ) -> OptimizerError {
        .invalid(Complaint(pointer: pointer, exception: exception, detail: detail, expected: expected, got: got))
    }

    /// A member whose value is of another kind than `words` say; `name` is what the sentence calls it.
    static func wrongKind(
        _ pointer: String, _ name: String, _ words: String, _ got: SettingValue, expected: String? = nil
    ) -> OptimizerError {
        .invalid(
            pointer, .typeError, "\(name) must be \(words); got \(got.kind).", expected: expected ?? words,
            got: got.kind)
    }
}
