// The error map: the one place that knows both what the models refuse and which status says so.

import HTTPServing
import Optimizers
import ParameterServing

extension Problem {
    /// What a refusal of the serving layer looks like from outside.
    init(_ error: ServingError) {
        switch error {
        case .invalid(let complaints): self.init(complaints)
        case .unknownModel(let name, let nearest):
            self.init(.unknownModel, "There is no model `\(name)`.\(Self.suggestion(nearest))")
        case .modelUnavailable(let model):
            self.init(
                .modelUnavailable,
                "`\(model.name)` is in the data directory and is not served. \(model.explanation) Its files are kept; nothing was applied."
            )
        case .modelExists(let name):
            self.init(
                .modelExists,
                "`\(name)` exists and was created by another definition; add ?replace=1 to start over, or ?join=1 to use it as it is if its parameters have the same names and shapes."
            )
        case .modelDiffers(let name, let differences):
            self.init(
                .modelExists,
                "`\(name)` exists with other parameters, so it cannot be joined: \(Self.first(of: differences)) Send the parameters that it has, take another name, or write ?replace=1 instead of ?join=1 to start over."
            )
            items = differences.prefix(FixedLimits.listedMistakes).map {
                Item(pointer: $0.pointer, detail: $0.detail, expected: $0.expected, got: $0.got)
            }
        case .modelReplaced(let name):
            self.init(
                .modelReplaced, "`\(name)` was deleted or replaced meanwhile; pull it again. Nothing was applied.")
        case .outOfMemory(let needed, let limit) where needed > limit:
            self.init(
                .exceedsMemory,
                "This needs \(needed) bytes and --memory is \(limit); ask for less, or start the daemon with more. Nothing was applied."
            )
        case .outOfMemory(let needed, let limit):
            self.init(
                .outOfMemory,
                "This needs \(needed) bytes, more than is left of the \(limit) of --memory; try again, delete a model or start the daemon with more. Nothing was applied."
            )
            (retryAfter, wantedRoom) = (1, needed)
        case .bodiesTooLarge(let party, let needed, let limit):
            self.init(
                .outOfMemory,
                "\(Self.bodies(of: party, limit)) This one needs \(needed) bytes more. Send it again when others have arrived, or start the daemon with more memory or a larger share. Nothing was applied."
            )
            (retryAfter, wantedRoom, payer) = (1, needed, party.description)
        case .tooLargeToStep(let needed, let limit):
            let enough = (needed + 1 << 20 - 1) >> 20
            self.init(
                .exceedsMemory,
                "The model needs \(needed) bytes to take a step, for its slots and three times its values, and --memory is \(limit); start paramd with --memory \(enough)M or more, or make the model smaller. Nothing was applied."
            )
        case .learningRateExhausted(let group, let step, let length):
            self.init(
                .learningRateExhausted,
                "The learning rate of group `\(group)` has \(length) entries and none for step \(step); append entries or set past_end to hold. Nothing was applied."
            )
            exception = "RuntimeError"
        case .diverged(let parameter, nil):
            self.init(
                .diverged,
                "The update makes `\(parameter)` non-finite; pulls keep the last good version, and the slots are as before. Nothing was applied. If the model's status is diverged, restore a checkpoint or import values."
            )
            items = [Item(pointer: "/parameters/\(parameter)", detail: "became non-finite", expected: nil, got: nil)]
        case .diverged(let parameter, let slot?):
            self.init(
                .diverged,
                "The update makes the optimizer's slot `\(slot)` of `\(parameter)` non-finite, and every later update would be wrong. Push a smaller gradient: the model is as before and takes it. Nothing was applied."
            )
            items = [
                Item(
                    pointer: "/gradients/\(parameter)", detail: "makes the slot `\(slot)` non-finite", expected: nil,
                    got: nil)
            ]
        case .lossScaleStuck(let overflows):
            self.init(
                .diverged,
                "\(overflows) gradients in a row overflowed, so the loss scale cannot help; check the model. Nothing was applied."
            )
            exception = "RuntimeError"
        case .stepsUsedUp(let count):
            self.init(
                .stepsUsedUp,
                "The model's steps are used up: its `\(count)` is \(OptimizerState.steps.upperBound), the last that can be counted. Restore a checkpoint of an earlier step, or PUT .../state with a smaller `\(count)`. Nothing was applied."
            )
            exception = "RuntimeError"
        case .basedOnFuture(let basedOn, let step):
            self.init(
                .stale, "based_on \(basedOn) is beyond the model's step \(step); pull again. Nothing was applied.")
        case .cursorUnknown(let cursor, let newest):
            self.init(
                .cursorUnknown,
                "`\(cursor)` is not a version that this model has had; its newest is `\(newest)`. The model was created again, or has not reached that version: pull without `since` and go on from there."
            )
        case .fenced(let worker, let epoch, let current):
            self.init(
                .fenced,
                "Epoch \(epoch) of worker `\(worker)` does not count, \(current) does; register the worker again. Nothing was applied."
            )
        case .receiptForgotten(let worker, let seq, let oldest):
            self.init(
                .receiptForgotten,
                "Push \(seq) of worker `\(worker)` is older than the window, which starts at \(oldest); its receipt is no longer kept, and it cannot be applied again. Go on with higher numbers, or register the worker for a new epoch. Nothing was applied."
            )
        case .keyReused(let key):
            self.init(
                .keyReused,
                "`\(key)` was used for other gradients or another request; use a new seq or Idempotency-Key, or register the worker for a new epoch. Nothing was applied."
            )
        case .inFlight(let key):
            self.init(.inFlight, "`\(key)` is still under way; send the same request again.")
            retryAfter = 1
        case .keyForgotten(let key):
            self.init(
                .receiptForgotten,
                "The request of `\(key)` was carried out before, but its answer was removed to make room for later ones. Use a new key for a new request. Nothing was applied."
            )
        case .unknownWorker(let worker):
            self.init(
                .notFound, "The model knows no worker `\(worker)`; GET .../workers lists them. Nothing was applied.")
        case .tooManyWorkers(let limit):
            self.init(
                .tooMany,
                "The model remembers at most \(limit) workers (`--limit workers`), and none of them has been unseen for `worker-lifetime`. Use an earlier name, or DELETE .../workers/{worker} one that has ended. Nothing was applied."
            )
            retryAfter = 60
        case .tooManyModels(let limit):
            self.init(.tooMany, "The daemon holds at most \(limit) models; delete some. Nothing was applied.")
            retryAfter = 60
        case .tooManyCheckpoints(let refusal): self.init(refusal)
        case .stateMismatch(let name):
            self.init(
                .stateMismatch,
                "The state belongs to another optimizer or other parameters than `\(name)` has; create a new model from the file instead. Nothing was applied."
            )
        case .preconditionFailed(let expected, let current):
            self.init(
                .preconditionFailed,
                "The precondition names \(expected), the model is at \(current); read it again before you retry. Nothing was applied."
            )
        case .storageFull(let reason):
            self.init(.storageFull, "\(reason) Nothing was applied; pushes resume by themselves once there is room.")
            retryAfter = 5
        case .journalBehind(let limit):
            self.init(
                .journalBehind,
                "The journal holds \(limit) bytes that models need, as many as it may, until models have been written out; send the request again. Nothing was applied."
            )
            retryAfter = 1
        case .storageFailed(let reason):
            self.init(.storageFailed, "\(reason) Nothing was applied; check the disk and start the daemon again.")
            retryAfter = 60
        case .outcomeUnknown(let reason):
            self.init(
                .outcomeUnknown,
                "\(reason) This request may or may not be kept: check the disk, start the daemon again, and send the same request again with the same seq or Idempotency-Key, or ask for the push by GET .../pushes/WORKER/SEQ."
            )
            retryAfter = 60
        case .fileDamaged(let reason):
            self.init(
                .fileDamaged,
                "\(reason) Nothing was applied; use another checkpoint or step, and let `paramd verify` list all damage."
            )
        case .stopping:
            self.init(.stopping, "The daemon is stopping; nothing was applied. Try again.")
            retryAfter = 1
        }
    }

    /// Whose bodies hold what they may, and which limit says so.
    private static func bodies(of party: BodyMemory.Party, _ limit: Int) -> String {
        switch party {
        case .model(let name):
            "The bodies that are being sent for model `\(name)` hold \(limit) bytes, as much as they may together (limit body-memory-per-model)."
        case .address(let name):
            "The bodies that are being sent from \(name) hold \(limit) bytes, as much as they may together (limit body-memory-per-address)."
        }
    }

    /// A checkpoint too many: which one to delete.
    private init(_ refusal: TooManyCheckpoints) {
        let address = "/v1/models/\(refusal.model)/checkpoints"
        let bound =
            refusal.isOfAll
            ? "The daemon keeps \(refusal.limit) checkpoints of all models together (limit checkpoints-in-all)."
            : "`\(refusal.model)` has \(refusal.limit) checkpoints (limit checkpoints)."
        let way =
            refusal.oldest.map { "DELETE \(address)/\($0), its oldest, or another that GET \(address) lists." }
            ?? "`\(refusal.model)` has none: delete some of other models."
        self.init(.tooManyCheckpoints, "\(bound) \(way) Nothing was saved.")
    }

    /// A refusal met while a range of steps is evaluated: there the remedy is a shorter range.
    init(plotting error: ServingError) {
        self.init(error)
        guard case .learningRateExhausted(let group, _, let length) = error else { return }
        detail =
            "The learning rate of group `\(group)` is an array of \(length), so its last step is \(length - 1); ask for to=\(length - 1), or set past_end to hold."
    }

    /// Wrong content: one item per place, the first one's text as the detail.
    init(_ complaints: [Complaint]) {
        let first = complaints.first?.detail ?? "The content is wrong"
        let count = complaints.reduce(0) { $0 + $1.count }
        self.init(.invalidContent, "\(Self.sentence(first))\(Self.more(than: 1, of: count)) Nothing was applied.")
        items = complaints.map {
            Item(pointer: $0.pointer, detail: $0.detail, expected: $0.expected, got: $0.got)
        }
        exception = complaints.first?.exception?.rawValue
    }

    /// The first of several differences with both values, and how many more there are.
    private static func first(of differences: [Complaint]) -> String {
        guard let first = differences.first else { return "see errors" }
        let values = first.expected.flatMap { expected in first.got.map { ", \(expected), not \($0)" } } ?? ""
        return first.detail + values + "." + more(than: 1, of: differences.count)
    }

    /// " `errors` lists 3 more.", or nothing.
    private static func more(than told: Int, of count: Int) -> String {
        count > told ? " `errors` lists \(count - told) more." : ""
    }

    /// " Did you mean `a` or `b`?", or nothing.
    static func suggestion(_ names: [String]) -> String {
        names.isEmpty ? "" : " Did you mean \(names.map { "`\($0)`" }.joined(separator: " or "))?"
    }

    private static func sentence(_ text: String) -> String {
        let upper = text.prefix(1).uppercased() + text.dropFirst()
        return upper.hasSuffix(".") || upper.hasSuffix("?") ? upper : upper + "."
    }
}
