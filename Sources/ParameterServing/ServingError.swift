// All refusals of a model or the registry. ParameterAPI maps each case to a status and a help page; the compiler
// requires a row there for every case here.

import Names
import Optimizers

/// Why the serving layer refused.
///
/// In all cases but one, nothing was applied. After `outcomeUnknown` the next start decides.
public enum ServingError: Error, Sendable, Equatable {
    /// The definition, the gradients or the values are invalid; all complaints together.
    case invalid([Complaint])
    /// No model has that name; `nearest` are similar names.
    case unknownModel(String, nearest: [String])
    /// A model of that name is in the directory but cannot be served.
    case modelUnavailable(UnavailableModel)
    /// A model of that name exists with another definition.
    case modelExists(String)
    /// A model of that name exists with other parameters; the differences.
    case modelDiffers(String, [Complaint])
    /// The model of the request has been deleted or replaced.
    case modelReplaced(String)
    /// The memory budget has no room, in bytes.
    case outOfMemory(needed: Int, limit: Int)
    /// The budget has room but the system has no memory, in bytes.
    case noMemory(needed: Int)
    /// The bodies of one model, or from one address, would hold more than `limit` bytes together.
    case bodiesTooLarge(of: BodyMemory.Party, needed: Int, limit: Int)
    /// Even alone, the model would have no room to take a step, in bytes.
    case tooLargeToStep(needed: Int, limit: Int)
    /// A learning-rate array has no entry for the step.
    case learningRateExhausted(group: String, step: Int, length: Int)
    /// An update would make a parameter non-finite, and pushes wait for a restore or an import; or, with `slot`, only
    /// that slot, and nothing waits.
    case diverged(parameter: String, slot: String? = nil)
    /// Every gradient overflows, however small the loss scale.
    case lossScaleStuck(overflows: Int)
    /// The push would raise a count beyond its largest value.
    case stepsUsedUp(count: Name)
    /// The gradient claims a step that the model has not reached.
    case basedOnFuture(basedOn: Int, step: Int)
    /// The gradient is older than the model allows, or from a branch that the model has left.
    case tooStale(staleness: Int, limit: Int, step: Int, branch: LeftBranch? = nil)
    /// The gradient was computed for a round that has closed, or on a branch that the model has left.
    case roundClosed(basedOn: Int, step: Int, branch: LeftBranch? = nil)
    /// The worker has already pushed in the open round, which makes `step` with `needed` pushes.
    case alreadyInRound(worker: Name, step: Int, received: Int, needed: Int)
    /// The hyperparameters of the push differ from those of the open round.
    case otherHyperparameters(Hyperparameters?, ofRound: Hyperparameters?)
    /// The round has, or would have, more pushes than its reduction compares.
    case roundFull(pushes: Int, limit: Int)
    /// A request would close the round of `step` with fewer pushes than its reduction needs to leave out wrong ones.
    case tooFewPushes(step: Int, received: Int, Reduction)
    /// The settings, or those that a change would make, refuse the update of the open round.
    case roundMisfit(RoundMisfit)
    /// Rounds would wait for more workers than their reduction compares.
    case tooManyRegistered(Int, limit: Int)
    /// The round of the push was dropped.
    case roundDropped(RoundReceipt)
    /// There is no round to close.
    case roundEmpty
    /// The mode of the model has no rounds.
    case noRounds(mode: Name)
    /// A push of several workers needs a key.
    case keyRequired
    /// A push of this mode needs a worker.
    case workerRequired
    /// Only registered workers may push; nil for a push without a worker.
    case notRegistered(Name?)
    /// The worker must wait until the slowest one reaches the clock `wanted`.
    case tooFarAhead(worker: Name, clock: Int, slowest: Int, wanted: Int)
    /// The cursor belongs to an earlier model of the name, or to a version that the model has not reached.
    case cursorUnknown(cursor: String, newest: String)
    /// The events after a place are no longer available; the oldest place to continue from.
    case eventsTooOld(id: String, oldest: String)
    /// The id of an event is of an earlier model of the name, or of an event that has not happened.
    case eventUnknown(id: String, newest: String)
    /// The epoch has ended, or is not the worker's: `current` is the worker's latest one, 0 if it never registered, and
    /// `hasEnded` says whether that has ended.
    case fenced(worker: Name, epoch: Int, current: Int, hasEnded: Bool = false)
    /// The push may have been applied, but its receipt is gone; `oldest` is the number of the oldest one of its worker,
    /// nil if there is none, and `last` the highest number that the worker has used.
    case receiptForgotten(worker: Name, seq: Int, oldest: Int?, last: Int)
    /// The number of the push was used for another body.
    case pushReused(PushKey)
    /// The first push with this number has not been answered yet.
    case pushInFlight(PushKey)
    /// The key was used for another request.
    case keyReused(key: String)
    /// The first request with this key has not been answered yet.
    case inFlight(key: String)
    /// The key's request was executed, but its answer has left the window of its client.
    case keyForgotten(key: String)
    /// The model has no receipts of a worker with that name.
    case unknownWorker(Name)
    /// The model has the most workers allowed, and none is old enough to be replaced; `roomIn` is the number of seconds
    /// after which one may be, nil if it is not known.
    case tooManyWorkers(limit: Int, roomIn: Int? = nil)
    /// The version has no average of that name; those that it has.
    case unknownAverage(Name, known: [Name])
    /// The average takes in its first update at the step `first`, and the model is at `step`.
    case averageNotStarted(Name, first: Int, step: Int)
    /// The workers at a barrier wait for another number of workers.
    case barrierDiffers(Name, asked: Int, open: Int)
    /// The model has the most barriers allowed, and workers wait at all of them.
    case tooManyBarriers(limit: Int)
    /// The most workers allowed wait at the barriers of the model.
    case tooManyAtBarriers(limit: Int)
    /// The state to restore belongs to another optimizer or to other parameters.
    case stateMismatch(String)
    /// The daemon has the most models allowed.
    case tooManyModels(limit: Int)
    /// There are the most checkpoints allowed.
    case tooManyCheckpoints(TooManyCheckpoints)
    /// As many requests wait as are allowed.
    case tooManyWaiting(limit: Int)
    /// The version in `If-Match` is not the current one.
    case preconditionFailed(expected: String, current: String)
    /// The disk is full or read-only; recovers without a restart.
    case storageFull(reason: String)
    /// The journal has reached its limit until models have been written out.
    case journalBehind(limit: Int)
    /// The daemon has no data directory, so there are no checkpoints and no earlier steps.
    case keptInMemory
    /// The journal failed; the daemon answers only reads until it is restarted.
    case storageFailed(reason: String)
    /// The journal failed while it wrote the change: the next start shows whether the record is there.
    case outcomeUnknown(reason: String)
    /// A file to be read is damaged; everything else continues to work.
    case fileDamaged(reason: String)
    /// The daemon is stopping.
    case stopping
}

extension ServingError {
    /// Makes the error for a condition that does not include the current version.
    static func preconditionFailed(_ versions: [Int], current: Int) -> ServingError {
        let expected = versions.prefix(4).map { "version \($0)" }.joined(separator: " or ")
        return .preconditionFailed(expected: expected, current: "version \(current)")
    }

    /// Whether memory is missing, so that a later attempt may succeed.
    public var isOfMemory: Bool {
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

    /// Makes the error from an optimizer's refusal.
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

/// Runs `body`, and converts an optimizer's refusal to one of this layer.
func wrapping<Result>(_ body: () throws(OptimizerError) -> Result) throws(ServingError) -> Result {
    do throws(OptimizerError) { return try body() } catch { throw ServingError(error) }
}
