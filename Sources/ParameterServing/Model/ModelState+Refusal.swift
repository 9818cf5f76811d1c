// Whether a refusal may be told. A command is judged with the commands on their way to the log, but a kill may undo those:
// a client would have been told of a round that never closed, or of a registration that never ended.

import Optimizers
import Threading

extension ModelState {
    /// Refuses a command, unless only commands in progress refuse it.
    ///
    /// - Throws: the reason if it does not rest on them; if the state that has been applied refuses the command too, the
    ///   reason that it has.
    func refuse(_ command: Command, for reason: ServingError, at now: Tick) throws(ServingError) {
        if case .tooManyWorkers(let limit, _) = reason {
            throw .tooManyWorkers(limit: limit, roomIn: secondsToRoom(at: now))
        }
        guard forecast.count > 0, reason.mayRestOnForecast else { throw reason }
        var applied = self
        applied.forecast = RoundForecast()
        try applied.judgeAgain(command)
    }

    /// Judges what depends on the forecast.
    private func judgeAgain(_ command: Command, under key: RequestKey? = nil) throws(ServingError) {
        switch command {
        case .push(let push): if try receipt(of: push) == nil { _ = try judge(push, under: key) }
        case .closeRound(let closing): try examine(closing)
        case .register(let registration, _): try checkPushes(afterRegistering: !willBeRegistered(registration.worker))
        case .reconfigure(let patch, let ifVersion): try examine(patch, ifVersion)
        case .keyed(let key, _, let command): try judgeAgain(command, under: key)
        case .admitted(let command, _): try judgeAgain(command, under: key)
        case .importValues, .grow, .restore, .endLeases, .dismiss, .note, .report: break
        }
    }
}

extension ServingError {
    /// Whether commands on their way to the log may be the reason for it, so that a kill could undo the reason.
    fileprivate var mayRestOnForecast: Bool {
        switch self {
        // The step, the round or the registrations after those commands.
        case .tooStale, .roundClosed, .alreadyInRound, .otherHyperparameters, .roundFull, .roundEmpty, .tooFewPushes,
            .notRegistered, .fenced, .tooManyRegistered, .roundMisfit, .learningRateExhausted, .stepsUsedUp:
            true
        // What the request says, or the settings and the state that have been applied.
        case .invalid, .modelDiffers, .tooLargeToStep, .diverged, .lossScaleStuck, .noRounds, .keyRequired,
            .workerRequired, .receiptForgotten, .keyForgotten, .unknownWorker, .stateMismatch, .preconditionFailed,
            .roundDropped, .cursorUnknown:
            false
        // Commands in progress only raise the step that a request may refer to.
        case .basedOnFuture: false
        // An earlier request is in progress, whatever becomes of it: wait for its answer, or use another number or key.
        case .pushInFlight, .inFlight, .pushReused, .keyReused: false
        // Memory or room is missing now: send it again later.
        case .outOfMemory, .noMemory, .bodiesTooLarge, .tooManyWorkers, .tooManyModels, .tooManyCheckpoints,
            .tooManyBarriers, .tooManyAtBarriers, .tooManyWaiting:
            false
        // The log, or the end of the model or of the daemon.
        case .storageFull, .journalBehind, .keptInMemory, .storageFailed, .outcomeUnknown, .fileDamaged, .stopping,
            .unknownModel, .modelUnavailable, .modelExists, .modelReplaced:
            false
        // Reads and waits, which see only what has been applied.
        case .tooFarAhead, .eventsTooOld, .eventUnknown, .unknownAverage, .averageNotStarted, .barrierDiffers: false
        }
    }
}
