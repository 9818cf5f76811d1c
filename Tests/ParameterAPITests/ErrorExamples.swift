// One example of every kind of problem, made by the code that answers, so that `api/errors.md` shows real texts.

import HTTPServing
import Journal
import Names
import Optimizers
import TensorCoding
import Testing

@testable import ParameterAPI
@testable import ParameterServing

/// Examples of problems.
struct ErrorExamples {
    private let api = ParameterAPI(
        registry: ModelRegistry(configuration: ServingConfiguration(memoryLimit: 1 << 30), catalogue: .builtin),
        version: "test")

    /// A problem of the given kind, as a client may get it.
    func problem(_ kind: ProblemKind) throws -> Problem {
        if let refusal = Self.refusals[kind] { return Problem(refusal) }
        if let error = Self.errors[kind] { return Problem(error) }
        switch kind {
        case .malformedJSON: return try Self.malformedJSON()
        case .malformedTensors:
            return Problem(SafetensorsError.size(name: "w", expected: 16, got: 12))
        case .notFound: return try thrown { _ = try api.router.find(try request(.get, "/v1/model/demo/lr")) }
        case .methodNotAllowed: return try thrown { _ = try api.router.find(try request(.post, "/v1/models/demo")) }
        case .notAcceptable:
            return try thrown {
                _ = try call(.get, "/v1/models/demo/parameters", "Accept", "text/csv").accepted([
                    Offer(0, ["application/json"]), Offer(1, ["application/vnd.safetensors"]),
                ])
            }
        case .unsupportedMediaType:
            let form = try request(
                .post, "/v1/models/demo/gradients", ("Content-Type", "application/x-www-form-urlencoded"))
            return try thrown { _ = try BodyFormat(form, reads: [.json, .safetensors]) }
        case .gone:
            let uid = ModelUID(number: 0x0f3a_5c71)
            return Problem(
                noLongerKept: Cursor(uid: uid, version: 12), oldest: Cursor(uid: uid, version: 37),
                newest: Cursor(uid: uid, version: 40))
        case .tooManyStreams: return Problem(tooManyStreams: 1000)
        case .rangeNotSatisfiable: return try thrown { _ = try ByteRange("bytes=5000-", of: 4096) }
        case .conflictingQuery:
            return try thrown { try call(.get, "/v1/models/demo/lr?step=1&step=2").checkQueries() }
        case .invalidQuery:
            return try thrown { _ = try call(.get, "/v1/models/demo/lr?step=last").integer(.step) }
        case .conflictingKeys:
            let keys = [("Idempotency-Key", "a"), ("X-Idempotency-Key", "b")]
            return try thrown {
                _ = try call(try request(.put, "/v1/models/demo", keys[0], keys[1])).requestKey()
            }
        default: throw Missing(kind: kind)
        }
    }

    /// A kind without an example.
    struct Missing: Error { let kind: ProblemKind }

    private static let refusals: [ProblemKind: Refusal] = [
        .malformedRequest: .repeatedContentLength, .crossSite: .foreignSite("Origin: http://evil.example"),
        .requestTimeout: .bodyTimedOut(rate: 1024), .lengthRequired: .lengthRequired,
        .tooLarge: .bodyTooLarge(limit: 1_048_576), .targetTooLong: .targetTooLong(limit: 8192),
        .expectationFailed: .unknownExpectation("200-ok"), .wrongHost: .foreignHost("paramd.example"),
        .headTooLarge: .headTooLarge(limit: 16384), .notImplemented: .unknownMethod("BREW"), .stopping: .draining,
        .versionNotSupported: .unsupportedVersion("HTTP/2.0"),
    ]

    private static let shape = Complaint(
        pointer: "/gradients/w", exception: .valueError, detail: "`w` has shape [2, 3], not [3]"
    ).comparing(expected: .shape([2, 3]), got: .shape([3]))

    private static let errors: [ProblemKind: ServingError] = [
        .unknownModel: .unknownModel("dmeo", nearest: ["demo"]), .modelExists: .modelExists("demo"),
        .modelReplaced: .modelReplaced("demo"), .inFlight: .inFlight(key: "create-demo"),
        .cursorUnknown: .cursorUnknown(cursor: "0f3a5c71-12", newest: "5b10cc02-3"),
        .eventsTooOld: .eventsTooOld(id: "0f3a5c71.7", oldest: "0f3a5c71.96"),
        .fenced: .fenced(worker: "w3", epoch: 1, current: 2),
        .barrierDiffers: .barrierDiffers("epoch-end", asked: 4, open: 3),
        .receiptForgotten: .receiptForgotten(worker: "w3", seq: 7, oldest: 120, last: 183),
        .stale: .basedOnFuture(basedOn: 12, step: 10), .roundClosed: .roundClosed(basedOn: 9, step: 10),
        .roundDropped: .roundDropped(
            RoundReceipt(state: .dropped(.timeout), step: 10, received: 1, needed: 3)), .roundEmpty: .roundEmpty,
        .alreadyInRound: .alreadyInRound(worker: "w3", step: 10, received: 1, needed: 2),
        .noRounds: .noRounds(mode: "async"),
        .roundFull: .roundFull(pushes: 64, limit: 64),
        .tooFewPushes: .tooFewPushes(step: 10, received: 2, .krum(byzantine: 1)),
        .roundMisfit: .roundMisfit(
            RoundMisfit(
                request: .change, step: 10, received: 2,
                brought: Hyperparameters(.object([.init(key: "learning_rate", value: .number(0.1))])),
                hasDeadline: true,
                cause: .refusal(
                    .invalid(
                        Complaint(
                            pointer: "/hyperparameters/learning_rate", exception: .valueError,
                            detail: "Every group sets its own, so `learning_rate` would have no effect."))))),
        .otherHyperparameters: .otherHyperparameters(
            Hyperparameters(.object([.init(key: "learning_rate", value: .number(0.1))])), ofRound: nil),
        .notRegistered: .notRegistered("w3"), .keyRequired: .keyRequired,
        .tooFarAhead: .tooFarAhead(worker: "w3", clock: 12, slowest: 8, wanted: 9),
        .learningRateExhausted: .learningRateExhausted(group: "default", step: 1000, length: 1000),
        .stepsUsedUp: .stepsUsedUp(count: "step"), .diverged: .diverged(parameter: "w"),
        .tooManyCheckpoints: .tooManyCheckpoints(
            TooManyCheckpoints(model: "demo", oldest: 3, limit: 16, isOfAll: false)),
        .averageNotStarted: .averageNotStarted("swa", first: 1000, step: 12), .stateMismatch: .stateMismatch("demo"),
        .preconditionFailed: .preconditionFailed(expected: "version 4", current: "version 5"),
        .invalidContent: .invalid([shape]), .exceedsMemory: .outOfMemory(needed: 4_000_000_000, limit: 1_073_741_824),
        .keyReused: .keyReused(key: "create-demo"), .tooMany: .tooManyModels(limit: 1000),
        .fileDamaged: .fileDamaged(
            reason:
                "\(JournalError.corrupted(file: "state-000000000012.snapshot", offset: 4096, reason: "block 0 does not match its checksum"))"
        ),
        .outOfMemory: .outOfMemory(needed: 48_000_000, limit: 1_073_741_824),
        .journalBehind: .journalBehind(limit: 268_435_456), .tooManyWaiting: .tooManyWaiting(limit: 16_000),
        .modelUnavailable: .modelUnavailable(
            UnavailableModel(
                name: "demo", uid: ModelUID(number: 1), reason: .refused("Unknown optimizer `MyMomentum`."))),
        .keptInMemory: .keptInMemory,
        .storageFailed: .storageFailed(
            reason: "\(JournalError.failed(file: "segment-000000000001.journal", call: "fsync", code: 5))"),
        .outcomeUnknown: .outcomeUnknown(
            reason: "\(JournalError.failed(file: "segment-000000000001.journal", call: "fsync", code: 5))"),
        .memoryRefused: .noMemory(needed: 33_554_432),
        .storageFull: .storageFull(
            reason: "No space left to write next.journal.tmp. The journal needs 32 MiB for its next file."),
    ]

    private static func malformedJSON() throws -> Problem {
        do throws(JSONError) {
            _ = try JSONValue(parsing: Array(#"{"gradients":{"w":[0.5,NaN]}}"#.utf8))
        } catch {
            return Problem(error)
        }
        throw Missing(kind: .malformedJSON)
    }

    private func thrown(_ body: () throws -> Void) throws -> Problem {
        try #require(throws: Problem.self, performing: body)
    }

    private func request(_ method: Method, _ target: String, _ headers: (String, String)...) throws -> Request {
        let host = [(name: "Host", value: "localhost:8470")]
        return try Request(
            method: method, target: target, headers: Headers(host + headers.map { (name: $0.0, value: $0.1) }))
    }

    private func call(_ request: Request) throws -> Call {
        let found = try api.router.find(request)
        return Call(request, found.route, arguments: found.arguments, suffix: found.suffix, api: api)
    }

    private func call(_ method: Method, _ target: String, _ header: String? = nil, _ value: String = "") throws -> Call
    {
        try call(try header.map { try request(method, target, ($0, value)) } ?? request(method, target))
    }
}
