// Every mistake in a definition or a step. Only the API layer maps errors to statuses; this module knows the exception
// that MindSpore would raise.

import Names

/// The exception that MindSpore, or the specification based on it, raises for the same mistake.
public enum ExceptionClass: String, Sendable, Equatable {
    /// A value of the wrong type.
    case typeError = "TypeError"
    /// A value of the right type that is not allowed.
    case valueError = "ValueError"
    /// A name that does not exist.
    case keyError = "KeyError"
    /// An error that only appears at run time.
    case runtimeError = "RuntimeError"
}

/// A mistake: what is wrong, where, and what to change.
public struct Complaint: Mistake, Sendable, Equatable {
    /// JSON pointer into the definition, "/groups/0/lr"; empty for the whole definition.
    public var pointer: String
    /// The header of the request that has the mistake; nil if it is at the pointer.
    public var header: String?
    /// The exception that MindSpore raises for it, if any.
    public var exception: ExceptionClass?
    /// A sentence that says what to change.
    public var detail: String
    /// The expected value, in a few words.
    public var expected: Finding?
    /// The actual value.
    public var got: Finding?
    /// The number of mistakes it represents: more than one if the others are only counted.
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
    /// The definition, or a gradient, is invalid; nothing changed.
    case invalid(Complaint)
    /// The learning rate of `group` has `length` entries, and step `step` (counted from 0) is beyond the last one.
    case learningRateExhausted(group: String, step: Int, length: Int)
    /// A gradient contains NaN or infinity and `on_nonfinite` is `reject`; nothing changed.
    case nonFiniteGradient(parameter: String)
    /// Finite gradients made a parameter or a slot non-finite: the new values must not be published.
    case diverged(parameter: String, slot: String? = nil)
    /// More than a thousand overflows in a row: the loss scale cannot be lowered further.
    case lossScaleStuck(overflows: Int)
    /// The update would raise a count beyond its largest value; nothing changed.
    case stepsUsedUp(count: Name)
    /// The system has no memory for this many bytes; nothing changed.
    case noMemory(bytes: Int)
}

extension OptimizerError {
    /// The exception that MindSpore raises for it, if any.
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

    /// The error for a member of the wrong type; `words` say what it must be, `name` is its name in the message.
    static func wrongKind(
        _ pointer: String, _ name: String, _ words: String, _ got: SettingValue, expected: String? = nil
    ) -> OptimizerError {
        .invalid(
            pointer, .typeError, "\(name) must be \(words); got \(got.kind).", expected: expected ?? words,
            got: got.kind)
    }
}
