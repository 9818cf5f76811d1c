// The catalogue of errors: one line each. Statuses, titles, help pages and the contract's list are derived from it.

/// A kind of error, with its status, title and help.
enum ProblemKind: String, CaseIterable {
    case malformedJSON = "malformed-json"
    case malformedRequest = "malformed-request"
    case malformedTensors = "malformed-tensors"
    case crossSite = "cross-site"
    case notFound = "not-found"
    case unknownModel = "unknown-model"
    case methodNotAllowed = "method-not-allowed"
    case notAcceptable = "not-acceptable"
    case requestTimeout = "request-timeout"
    case modelExists = "model-exists"
    case modelReplaced = "model-replaced"
    case inFlight = "in-flight"
    case cursorUnknown = "cursor-unknown"
    case fenced = "fenced"
    case receiptForgotten = "receipt-forgotten"
    case stale = "stale"
    case roundClosed = "round-closed"
    case roundDropped = "round-dropped"
    case roundEmpty = "round-empty"
    case alreadyInRound = "already-in-round"
    case roundFull = "round-full"
    case tooFewPushes = "too-few-pushes"
    case roundMisfit = "round-misfit"
    case otherHyperparameters = "other-hyperparameters"
    case noRounds = "no-rounds"
    case notRegistered = "not-registered"
    case tooFarAhead = "too-far-ahead"
    case keyRequired = "key-required"
    case barrierDiffers = "barrier-differs"
    case learningRateExhausted = "lr-schedule-exhausted"
    case stepsUsedUp = "steps-used-up"
    case diverged = "diverged"
    case averageNotStarted = "average-not-started"
    case tooManyCheckpoints = "too-many-checkpoints"
    case stateMismatch = "state-mismatch"
    case keptInMemory = "kept-in-memory"
    case gone = "gone"
    case eventsTooOld = "events-too-old"
    case lengthRequired = "length-required"
    case preconditionFailed = "precondition-failed"
    case tooLarge = "too-large"
    case targetTooLong = "target-too-long"
    case unsupportedMediaType = "unsupported-media-type"
    case rangeNotSatisfiable = "range-not-satisfiable"
    case expectationFailed = "expectation-failed"
    case wrongHost = "wrong-host"
    case invalidContent = "invalid-content"
    case conflictingQuery = "conflicting-query"
    case conflictingKeys = "conflicting-keys"
    case invalidQuery = "invalid-query"
    case exceedsMemory = "exceeds-memory"
    case keyReused = "key-reused"
    case tooMany = "too-many"
    case headTooLarge = "head-too-large"
    case fileDamaged = "file-damaged"
    case notImplemented = "not-implemented"
    case outOfMemory = "out-of-memory"
    case tooManyStreams = "too-many-streams"
    case journalBehind = "journal-behind"
    case tooManyWaiting = "too-many-waiting"
    case stopping = "stopping"
    case modelUnavailable = "model-unavailable"
    case storageFailed = "storage-failed"
    case outcomeUnknown = "outcome-unknown"
    case versionNotSupported = "http-version-not-supported"
    case storageFull = "storage-full"
    case memoryRefused = "memory-refused"

    /// The page's address, which is the problem's type.
    var type: String { "/problems/\(rawValue)" }

    /// The HTTP status.
    var status: Int { row.status }

    /// A few words, the same for all problems of this kind.
    var title: String { row.title }

    /// The help page: what happened, then what to do.
    var help: String { "\(row.meaning)\n\n\(row.remedy)" }

    /// What happened to a write that ends with this problem: one in progress, or written to disk, may take effect.
    var outcome: Problem.Outcome { [.inFlight, .outcomeUnknown].contains(self) ? .told : .nothingApplied }
}
