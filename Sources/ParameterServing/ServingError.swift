// Everything a model or the registry can refuse. ParameterAPI maps each case to a status and a help page; the compiler
// demands a row there for every case here.

import Names
import Optimizers

/// Why the serving layer refused.
///
/// Whatever the case but one, nothing was applied. After `outcomeUnknown` the next start decides.
public enum ServingError: Error, Sendable, Equatable {
    /// The definition, the gradients or the values are wrong; all complaints at once.
    case invalid([Complaint])
    /// No model of that name; `nearest` are names that look alike.
    case unknownModel(String, nearest: [String])
    /// A model of that name is in the directory and cannot be served.
    case modelUnavailable(UnavailableModel)
    /// A model of that name exists and was created by another definition.
    case modelExists(String)
    /// A model of that name exists, and its parameters are others; what differs.
    case modelDiffers(String, [Complaint])
    /// The model that the request was admitted for has been deleted or created again.
    case modelReplaced(String)
    /// The memory budget has no room, in bytes.
    case outOfMemory(needed: Int, limit: Int)
    /// The budget has room and the system has none, in bytes.
    case noMemory(needed: Int)
    /// The bodies of one model, or from one address, would hold more than `limit` bytes together.
    case bodiesTooLarge(of: BodyMemory.Party, needed: Int, limit: Int)
    /// The model would have no room to take a step in, were it alone, in bytes.
    case tooLargeToStep(needed: Int, limit: Int)
    /// A learning-rate array has no entry for the step.
    case learningRateExhausted(group: String, step: Int, length: Int)
    /// An update would make a parameter non-finite, and pushes wait for a restore or an import; or, with `slot`, that
    /// slot of it, and nothing waits.
    case diverged(parameter: String, slot: String? = nil)
    /// Every gradient overflows, however small the loss scale.
    case lossScaleStuck(overflows: Int)
    /// A number of the state that the push would raise is the last that can be counted.
    case stepsUsedUp(count: Name)
    /// The gradient claims to come from a step that the model has not reached.
    case basedOnFuture(basedOn: Int, step: Int)
    /// The cursor belongs to another life of the model, or to a version that it has not reached.
    case cursorUnknown(cursor: String, newest: String)
    /// The worker was registered again; this epoch no longer counts.
    case fenced(worker: Name, epoch: Int, current: Int)
    /// The key's receipt has left the window.
    case receiptForgotten(worker: Name, seq: Int, oldest: Int)
    /// The key was used for other gradients.
    case keyReused(key: String)
    /// The first push with this key has not been answered yet.
    case inFlight(key: String)
    /// The key's request was carried out, and its answer has left the window of its client.
    case keyForgotten(key: String)
    /// The model keeps no receipts of a worker of that name.
    case unknownWorker(Name)
    /// The model remembers as many workers as it may, and none of them is old enough to make room.
    case tooManyWorkers(limit: Int)
    /// The state to restore belongs to another optimizer or to other parameters.
    case stateMismatch(String)
    /// The daemon holds as many models as it may.
    case tooManyModels(limit: Int)
    /// There are as many checkpoints as there may be.
    case tooManyCheckpoints(TooManyCheckpoints)
    /// The version in `If-Match` is not the current one.
    case preconditionFailed(expected: String, current: String)
    /// The disk has no room or takes no writes; heals by itself.
    case storageFull(reason: String)
    /// The journal holds as many bytes as it may until models have been written out.
    case journalBehind(limit: Int)
    /// The journal failed; the daemon answers reads only until it is started again.
    case storageFailed(reason: String)
    /// The journal failed while it wrote this: the next start tells whether it is there.
    case outcomeUnknown(reason: String)
    /// A file that was to be read does not hold what was written; everything else goes on.
    case fileDamaged(reason: String)
    /// The daemon is stopping.
    case stopping
}

extension ServingError {
    /// A condition that names other versions than the current one.
    static func preconditionFailed(_ versions: [Int], current: Int) -> ServingError {
        let expected = versions.prefix(4).map { "version \($0)" }.joined(separator: " or ")
        return .preconditionFailed(expected: expected, current: "version \(current)")
    }

    /// Whether memory is wanting, so that the same may do later what it does not now.
    var isOfMemory: Bool {
        switch self {
        case .outOfMemory, .noMemory: true
        default: false
        }
    }

    /// What is wrong, for a log: the details of complaints, or the case.
    public var reason: String {
        guard case .invalid(let complaints) = self else { return "\(self)" }
        return complaints.map(\.detail).joined(separator: " ")
    }

    /// What an optimizer's refusal means here.
    public init(_ error: OptimizerError) {
        switch error {
        case .invalid(let complaint): self = .invalid([complaint])
        case .learningRateExhausted(let group, let step, let length):
            self = .learningRateExhausted(group: group, step: step, length: length)
        case .diverged(let parameter, let slot): self = .diverged(parameter: parameter, slot: slot)
        case .nonFiniteGradient(let parameter):
            self = .invalid([
                Complaint(
                    pointer: "/gradients/\(Name(parameter).pointerEscaped)", exception: .valueError,
                    detail: "`\(parameter)` holds NaN or infinity", expected: "finite numbers")
            ])
        case .lossScaleStuck(let overflows): self = .lossScaleStuck(overflows: overflows)
        case .stepsUsedUp(let count): self = .stepsUsedUp(count: count)
        case .noMemory(let bytes): self = .noMemory(needed: bytes)
        }
    }
}

/// Runs `body`, and tells an optimizer's refusal as one of this layer.
func wrapping<Result>(_ body: () throws(OptimizerError) -> Result) throws(ServingError) -> Result {
    do throws(OptimizerError) { return try body() } catch { throw ServingError(error) }
}
