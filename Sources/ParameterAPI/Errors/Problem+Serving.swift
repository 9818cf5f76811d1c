// The error map: the only place that knows both the models' refusals and the statuses.

import HTTPServing
import Names
import Optimizers
import ParameterServing

extension Problem {
    /// Makes a problem from a refusal of the serving layer.
    init(_ error: ServingError) {
        switch error {
        case .invalid(let complaints): self.init(complaints)
        case .unknownModel(let name, let nearest):
            self.init(.unknownModel, "The model `\(name)` does not exist.", hint: Self.suggestion(nearest))
        case .modelUnavailable(let model):
            self.init(
                .modelUnavailable, "`\(model.name)` is in the data directory but is not served. \(model.explanation)",
                hint: "Its files stay in the directory.")
        case .modelExists(let name):
            self.init(
                .modelExists, "`\(name)` already exists with another definition.",
                hint:
                    "Add ?replace=1 to start over, or ?join=1 to use the existing model if its parameters have the same names and shapes."
            )
        case .modelDiffers(let name, let differences):
            self.init(
                .modelExists,
                "`\(name)` already exists with other parameters, so it cannot be joined: \(Self.first(of: differences))",
                hint:
                    "Send the parameters of the existing model, choose another name, or use ?replace=1 instead of ?join=1 to start over."
            )
            items = differences.prefix(FixedLimits.listedMistakes).map(Item.init)
        case .modelReplaced(let name):
            self.init(
                .modelReplaced, "`\(name)` was deleted or replaced while this request was being processed.",
                hint: "Pull the model again before you continue.")
        case .outOfMemory(let needed, let limit) where needed > limit:
            self.init(
                .exceedsMemory, "This needs \(needed) bytes, but --memory is \(limit).",
                hint: "Ask for less, or start the daemon with a larger --memory.")
        case .outOfMemory(let needed, let limit):
            self.init(
                .outOfMemory, "This needs \(needed) bytes, more than is free of the \(limit) bytes of --memory.",
                hint:
                    "Try again, delete a model, or start the daemon with a larger --memory. If rounds hold gradients, POST .../step applies them and frees their memory."
            )
            (retryAfter, wantedRoom) = (1, needed)
        case .noMemory(let needed):
            let amount = needed > 0 ? "\(needed) bytes of memory" : "memory"
            self.init(
                .memoryRefused, "The system refused \(amount), though --memory has room for it.",
                hint:
                    "Raise the memory limit of the process (ulimit -v, the container's, or vm.overcommit_memory), or start the daemon with a smaller --memory."
            )
            retryAfter = 1
        case .bodiesTooLarge(let party, let needed, let limit):
            self.init(
                .outOfMemory, "\(Self.bodies(of: party, limit)) This body needs \(needed) bytes more.",
                hint:
                    "Send it again when others have arrived, or start the daemon with a larger --memory or a larger share."
            )
            (retryAfter, wantedRoom, payer) = (1, needed, party.description)
        case .tooLargeToStep(let needed, let limit):
            let enough = (needed + 1 << 20 - 1) >> 20
            self.init(
                .exceedsMemory,
                "The model needs \(needed) bytes to take a step, for its slots and the copies of its values, but --memory is \(limit).",
                hint: "Start paramd with --memory \(enough)M or more, or make the model smaller.")
        case .learningRateExhausted(let group, let step, let length):
            self.init(
                .learningRateExhausted,
                "The learning rate of group `\(group)` has \(length.counted("entry", "entries")) and none for step \(step).",
                hint: "Append entries, or set `past_end` to \"hold\".")
            exception = "RuntimeError"
        case .diverged(let parameter, nil):
            self.init(
                .diverged,
                "The update makes `\(parameter)` non-finite. Pulls return the last good version, and the slots are as before.",
                hint:
                    "Check the gradient, `learning_rate` and `weight_decay`. If the model's status is \"diverged\", restore a checkpoint or import values."
            )
            items = [Item("/parameters/\(Name(parameter).pointerEscaped)", "became non-finite")]
        case .diverged(let parameter, let slot?):
            self.init(
                .diverged,
                "The update makes the optimizer's slot `\(slot)` of `\(parameter)` non-finite, and every later update would be wrong.",
                hint: "Push a smaller gradient: the model is as before and accepts it.")
            items = [Item("/gradients/\(Name(parameter).pointerEscaped)", "makes the slot `\(slot)` non-finite")]
        case .lossScaleStuck(let overflows):
            self.init(
                .diverged, "\(overflows) gradients in a row overflowed, so a smaller loss scale cannot help.",
                hint: "Check the model and its data.")
            exception = "RuntimeError"
        case .stepsUsedUp(let count):
            self.init(
                .stepsUsedUp,
                "The model has used up its steps: its `\(count)` is \(OptimizerState.steps.upperBound), the last that can be counted.",
                hint: "Restore a checkpoint of an earlier step, or PUT .../state with a smaller `\(count)`.")
            exception = "RuntimeError"
        case .basedOnFuture(let basedOn, let step):
            self.init(
                .stale, "`based_on` is \(basedOn), but the model is at step \(step).",
                hint: "Pull again and compute the gradient from those parameters.")
        case .tooStale(_, _, let step, let branch?):
            self.init(
                .stale, Self.words(for: branch, at: step),
                hint: "Pull again and compute the gradient from those parameters.")
        case .tooStale(let staleness, let limit, _, nil):
            self.init(
                .stale,
                "The gradient is \(staleness.counted("update", "updates")) old, but the model accepts at most \(limit), its `max_staleness`.",
                hint: "Pull again and compute the gradient from those parameters.")
        case .roundClosed(_, let step, let branch?):
            self.init(
                .roundClosed, Self.words(for: branch, at: step),
                hint: "Pull again and push for the round of step \(step + 1).")
        case .roundClosed(let basedOn, let step, nil):
            self.init(
                .roundClosed,
                "The gradient was computed at step \(basedOn), for the round of step \(basedOn + 1), which has closed; the model is at step \(step).",
                hint: "Pull again and push for the round of step \(step + 1).")
        case .alreadyInRound(let worker, let step, _, _):
            self.init(
                .alreadyInRound, "Worker `\(worker)` has already pushed in the round of step \(step).",
                hint: "Push again once the round has closed; GET .../round shows what it waits for.")
        case .otherHyperparameters(let brought, let those):
            self.init(
                .otherHyperparameters,
                "The push has \(Self.words(for: brought)), but the open round has \(Self.words(for: those)).",
                hint: "Send the same `hyperparameters` with every push of a round, or wait for the next round.")
        case .roundFull(let pushes, let limit):
            self.init(
                .roundFull, "The open round has \(pushes) pushes, and krum compares at most \(limit).",
                hint:
                    "Close the round with POST .../step, then send the request again; or use `\"reduce\":\"trimmed_mean\"` or `\"median\"`, which have no such limit."
            )
        case .tooFewPushes(_, let received, let reduction): self.init(pushes: received, tooFewFor: reduction)
        case .roundMisfit(let misfit): self.init(misfit)
        case .tooManyRegistered(let workers, let limit):
            self.init(
                .roundFull, "\(workers) workers are registered, and krum compares at most \(limit) pushes in a round.",
                hint:
                    "DELETE .../workers/NAME for workers that have ended; or use `\"reduce\":\"trimmed_mean\"` or `\"median\"`, which have no such limit."
            )
        case .roundDropped(let round):
            self.init(
                .roundDropped, "The round of this push was dropped: \(Self.reason(for: round)).",
                hint: "Pull again, and push under a new seq or Idempotency-Key.")
        case .roundEmpty:
            self.init(
                .roundEmpty, "The open round has no pushes.",
                hint: "Push a gradient first; GET .../round lists the pushes in the round.")
        case .noRounds(let mode):
            self.init(
                .noRounds, "The model is in mode \"\(mode)\", where each push is applied immediately.",
                hint: "Use mode \"manual\" or \"sync\" to collect pushes in rounds.")
        case .keyRequired:
            self.init(
                .keyRequired, "Several workers push to this model, and this push has neither a `seq` nor a key.",
                hint: "Send `worker` and `seq`, or an Idempotency-Key, so that a retry is not counted twice.")
        case .workerRequired:
            self.init(
                .keyRequired, "In mode \"ssp\" every push needs a `worker`, and this one has none.",
                hint: "Send `worker` and `seq`.")
        case .notRegistered(let worker):
            self.init(
                .notRegistered,
                worker.map { "Worker `\($0)` is not registered, and only registered workers can push to this model." }
                    ?? "Only registered workers can push to this model, and this push has no `worker`.",
                hint:
                    "Register with PUT .../workers/\(worker?.text ?? "NAME"), then push with `worker`, `epoch` and `seq`."
            )
        case .tooFarAhead(let worker, let clock, let slowest, let wanted):
            self.init(
                .tooFarAhead,
                "Worker `\(worker)` is at clock \(clock), and the slowest worker is at \(slowest); `\(worker)` can pull once the slowest has reached \(wanted).",
                hint:
                    "Pull with worker=\(worker) and wait=30s to get the parameters at that moment. GET .../round shows the clock of each worker; DELETE .../workers/NAME removes one that has stopped for good."
            )
        case .cursorUnknown(let cursor, let newest):
            self.init(
                .cursorUnknown,
                "`\(cursor)` is not a version of this model; the newest is `\(newest)`. The model was created again, or has not reached that version.",
                hint: "Pull without `since` and continue from the cursor of that answer.")
        case .eventsTooOld(let id, let oldest):
            self.init(
                .eventsTooOld,
                "The events after `\(id)` are no longer available; the oldest id to continue from is `\(oldest)`.",
                hint: "Read the model again, then connect without Last-Event-ID.")
        case .eventUnknown(let id, let newest):
            self.init(
                .cursorUnknown,
                "`\(id)` is not an event of this model; the newest is `\(newest)`. The model was created again, or has not reached that event.",
                hint: "Read the model again, then connect without Last-Event-ID.")
        case .fenced(let worker, let epoch, let current, let hasEnded):
            self.init(fenced: worker, epoch, current: current, hasEnded: hasEnded)
        case .receiptForgotten(let worker, let seq, let oldest, let last):
            let reason =
                oldest.map { "is older than the oldest available receipt, number \($0)" }
                ?? "may have been applied, but the receipts of this worker were deleted"
            self.init(
                .receiptForgotten, "Push \(seq) of worker `\(worker)` \(reason), so it cannot be applied again.",
                hint: "Continue with number \(last + 1), or register the worker for a new epoch.")
        case .pushReused(let key):
            self.init(
                .keyReused, "Push \(key.seq) of worker `\(key.worker)` was already sent with a different body.",
                hint: "Use a new seq, or register the worker for a new epoch.")
        case .pushInFlight(let key):
            self.init(
                .inFlight, "Push \(key.seq) of worker `\(key.worker)` is still being processed.",
                hint: "Send the same request again to get its answer.")
            retryAfter = 1
        case .keyReused(let key):
            self.init(
                .keyReused, "The key `\(key)` was already used for a different request.",
                hint: "Use a new Idempotency-Key.")
        case .inFlight(let key):
            self.init(
                .inFlight, "The first request with the key `\(key)` is still being processed.",
                hint: "Send the same request again to get its answer.")
            retryAfter = 1
        case .keyForgotten(let key):
            self.init(
                .receiptForgotten,
                "The request with `\(key)` was processed before, but its answer is no longer available.",
                hint: "Use a new key for a new request.")
        case .unknownWorker(let worker):
            self.init(
                .notFound, "The model has no worker `\(worker)`.", hint: "GET .../workers lists the workers it has.")
        case .tooManyWorkers(let limit, let roomIn):
            self.init(
                .tooMany,
                "The model already has \(limit.counted("worker", "workers")), the limit `workers`, and all of them were seen within `worker-lifetime`.",
                hint: "Use an existing name, or DELETE .../workers/NAME for a worker that has ended.")
            // A worker may also be deleted, so no client should wait much longer.
            retryAfter = min(60, roomIn ?? 60)
        case .barrierDiffers(let barrier, let asked, let open):
            self.init(
                .barrierDiffers, "The workers at barrier `\(barrier)` wait for \(open) workers, not \(asked).",
                hint: "Send `count` \(open), or use another barrier.")
        case .tooManyBarriers(let limit):
            self.init(
                .tooManyWaiting,
                "Workers are already waiting at \(limit.counted("barrier", "barriers")) of the model, the limit `barriers`.",
                hint: "Use one of them, or send the request again later.")
            retryAfter = 1
        case .tooManyAtBarriers(let limit):
            self.init(
                .tooManyWaiting,
                "The model's barriers already have \(limit) arrivals and requests, the limit `barrier-waiters`.",
                hint: "Send the request again later.")
            retryAfter = 1
        case .tooManyModels(let limit):
            self.init(
                .tooMany, "The daemon already has \(limit.counted("model", "models")), the limit `models`.",
                hint: "Delete a model first.")
            retryAfter = 60
        case .tooManyCheckpoints(let refusal): self.init(refusal)
        case .unknownAverage(let name, let known): self.init(average: name, known: known)
        case .averageNotStarted(let name, let first, let step):
            self.init(
                .averageNotStarted,
                "The average `\(name)` starts at step \(first), but the model is at step \(step).",
                hint: "Pull with min_step=\(first) and `wait`, or without `average`.")
        case .stateMismatch(let name):
            self.init(
                .stateMismatch, "The state belongs to another optimizer or other parameters than `\(name)` has.",
                hint: "Create a new model from the file instead.")
        case .tooManyWaiting(let limit):
            self.init(
                .tooManyWaiting, "\(limit) requests are already waiting, the limit `waiting-pulls`.",
                hint: "Send it again after the time in Retry-After, or without `wait`.")
            retryAfter = 5
        case .preconditionFailed(let expected, let current):
            self.init(
                .preconditionFailed, "The precondition requires \(expected), but the model is at \(current).",
                hint: "Read the model again before you retry.")
        case .storageFull(let reason):
            self.init(.storageFull, reason, hint: "Free some space; pushes resume without a restart.")
            retryAfter = 5
        case .journalBehind(let limit):
            self.init(
                .journalBehind,
                "The journal holds \(limit) bytes that models still need, its limit, until snapshots of them are written.",
                hint: "Send the request again.")
            retryAfter = 1
        case .keptInMemory:
            self.init(
                .keptInMemory, "This daemon keeps models in memory, without checkpoints and without earlier steps.",
                hint:
                    "Download GET .../parameters.safetensors and GET .../state.safetensors and PUT both again later, or start the daemon with another --durability."
            )
        case .storageFailed(let reason):
            self.init(.storageFailed, reason, hint: "Check the disk, then start the daemon again.")
            retryAfter = 60
        case .outcomeUnknown(let reason):
            self.init(
                .outcomeUnknown, "\(reason) This request may or may not have been applied.",
                hint:
                    "Check the disk, start the daemon again, and send the same request with the same seq or Idempotency-Key, or look the push up with GET .../pushes/WORKER/SEQ."
            )
            retryAfter = 60
        case .fileDamaged(let reason):
            self.init(
                .fileDamaged, reason,
                hint: "Use another checkpoint or step, and run `paramd verify` to list all damage.")
        case .stopping:
            self.init(.stopping, "The daemon is stopping.", hint: "Try again.")
            retryAfter = 1
        }
        figures = error.figures
    }

    static func words(for brought: Hyperparameters?) -> String {
        brought.map { $0.setting.line.map { "the hyperparameters `\($0)`" } ?? "other hyperparameters" }
            ?? "no hyperparameters"
    }

    private static func reason(for round: RoundReceipt) -> String {
        guard case .dropped(let reason) = round.state else { return "it is not open" }
        return switch reason {
        case .timeout:
            [
                round.needed.map { "it had \(round.received) of \($0) pushes at its deadline" }
                    ?? "it had only \(round.received.counted("push", "pushes")) at its deadline",
                round.waited.map { "\($0.text) after the first push" },
            ].compactMap(\.self).joined(separator: ", ")
        case .restored: "an earlier state of the model was restored"
        case .refused: "its update was refused, for example because the settings were changed while it was open"
        case .diverged: "its update would have made a parameter or a slot non-finite"
        case .overflow: "its gradients overflowed, even at the smallest loss scale"
        }
    }

    /// The party whose bodies have reached their share, and the limit that sets it.
    private static func bodies(of party: BodyMemory.Party, _ limit: Int) -> String {
        switch party {
        case .model(let name):
            "The bodies being sent for model `\(name)` hold \(limit) bytes together, the limit `body-memory-per-model`."
        case .address(let name):
            "The bodies being sent from \(name) hold \(limit) bytes together, the limit `body-memory-per-address`."
        }
    }

    /// Too many checkpoints: says which one to delete.
    private init(_ refusal: TooManyCheckpoints) {
        let address = "/v1/models/\(refusal.model)/checkpoints"
        let bound =
            refusal.isOfAll
            ? "All models together have \(refusal.limit.counted("checkpoint", "checkpoints")), the limit `checkpoints-in-all`."
            : "`\(refusal.model)` has \(refusal.limit.counted("checkpoint", "checkpoints")), the limit `checkpoints`."
        let way =
            refusal.oldest.map { "DELETE \(address)/\($0), the oldest, or another that GET \(address) lists." }
            ?? "`\(refusal.model)` has none; delete some of other models."
        self.init(.tooManyCheckpoints, bound, hint: way)
    }

    /// A refusal while a range of steps is evaluated: the remedy is a shorter range.
    init(plotting error: ServingError) {
        self.init(error)
        guard case .learningRateExhausted(let group, _, let length) = error else { return }
        what =
            "The learning rate of group `\(group)` has \(length.counted("entry", "entries")); its last step is \(length - 1)."
        hint = "Ask for to=\(length - 1) or less, or set `past_end` to \"hold\"."
    }

    /// The refusal of a pull that asked to wait; one that is still too far ahead has waited in vain.
    init(_ error: ServingError, afterWaiting wait: Duration) {
        self.init(error)
        guard case .tooFarAhead = error else { return }
        what += " This pull waited \(wait.text)."
        hint =
            "Pull again; GET .../round shows how many pushes each worker has made, and DELETE .../workers/NAME removes one that has stopped for good."
        retryAfter = 1
    }

    /// Invalid content: one item per place, with the text of the first item as the detail.
    init(_ complaints: [Complaint]) {
        let first = complaints.first?.detail ?? "The content is invalid"
        let count = complaints.reduce(0) { $0 + $1.count }
        self.init(.invalidContent, "\(Self.sentence(first))\(Self.more(than: 1, of: count))")
        items = complaints.map(Item.init)
        exception = complaints.first?.exception?.rawValue
    }

    /// The first of several differences with both values, and the number of others.
    private static func first(of differences: [Complaint]) -> String {
        guard let first = differences.first else { return "see errors" }
        let values = first.expected.flatMap { expected in first.got.map { ", \(expected), not \($0)" } } ?? ""
        return first.detail + values + "." + more(than: 1, of: differences.count)
    }

    /// " `errors` lists 3 more.", or nothing.
    private static func more(than told: Int, of count: Int) -> String {
        count > told ? " `errors` lists \(count - told) more." : ""
    }

    /// The names that were probably meant, or where the models are listed.
    private static func suggestion(_ names: [String]) -> String {
        names.isEmpty
            ? "GET /v1/models lists the models."
            : "Did you mean \(names.map { "`\($0)`" }.joined(separator: " or "))?"
    }

    static func sentence(_ text: String) -> String {
        let upper = text.prefix(1).uppercased() + text.dropFirst()
        return upper.hasSuffix(".") || upper.hasSuffix("?") ? upper : upper + "."
    }
}

extension Problem.Item {
    fileprivate init(_ complaint: Complaint) {
        self.init(
            pointer: complaint.pointer, header: complaint.header, detail: complaint.detail,
            expected: complaint.expected, got: complaint.got)
    }

    fileprivate init(_ pointer: String, _ detail: String) {
        self.init(pointer: pointer, detail: detail, expected: nil, got: nil)
    }
}
