// The rows behind ProblemKind. A new kind is a case there and a row here; the compiler sees to it that none is missing.

extension ProblemKind {
    /// Status, title and the text of the help page.
    struct Row {
        var status: Int
        var title: String
        var help: String

        init(_ status: Int, _ title: String, _ help: String) {
            self.status = status
            self.title = title
            self.help = help
        }
    }

    var row: Row {
        switch self {
        case .malformedJSON:
            Row(
                400, "The body is not JSON",
                "The detail names line and column. Common causes: NaN or Infinity (not JSON: leave that step out, or push safetensors), a trailing comma, a key written twice, single quotes, a body cut short."
            )
        case .malformedRequest:
            Row(
                400, "The request is malformed",
                "The request line or a header breaks the rules of HTTP, so nothing after it can be trusted and the connection is closed. Check the client or the proxy in between."
            )
        case .malformedTensors:
            Row(
                400, "The body is not a safetensors file",
                "The header must be a JSON object whose tensors tile the data without gaps. Write the file with the safetensors library, or send JSON."
            )
        case .crossSite:
            Row(
                403, "A page of another site may not write here",
                "A browser says by Origin or Sec-Fetch-Site that another site's page sent the request. Only pages of this address may write, and those of the hosts that --allow-host names; programs such as curl send no such header."
            )
        case .notFound:
            Row(
                404, "There is nothing here",
                "The detail names the nearest path, where one is near. GET /openapi.json lists every path; GET / shows the first commands."
            )
        case .unknownModel:
            Row(
                404, "There is no model of that name",
                "GET /v1/models lists the models; PUT /v1/models/NAME creates one. After a delete the name is free again."
            )
        case .methodNotAllowed:
            Row(405, "The path does not know that method", "The Allow header lists the methods that it knows.")
        case .notAcceptable:
            Row(
                406, "No representation that the client accepts",
                "Ask for application/json or application/vnd.safetensors, or put .json or .safetensors behind the path."
            )
        case .requestTimeout:
            Row(
                408, "The request arrived too slowly",
                "A request's head must arrive within its deadline and its body at the least rate, which only a stalled link is below. When connections or memory run out, the slowest bodies make room for others. Nothing was applied; send it again."
            )
        case .modelExists:
            Row(
                409, "A model of that name exists",
                "It was created by another definition. Delete it, choose another name, or PUT with ?replace=1 to start over."
            )
        case .modelReplaced:
            Row(
                409, "The model was replaced meanwhile",
                "The model that the request was meant for has been deleted or replaced. Pull, then go on with the new one."
            )
        case .inFlight:
            Row(
                409, "The first request with this key is still under way",
                "Send the same request again after Retry-After.")
        case .cursorUnknown:
            Row(
                409, "The cursor names no version of this model",
                "A cursor belongs to one life of a model; it ends when the model is deleted or created again. A bare number must be one that the model has reached. Pull without `since` and go on with the cursor of that answer."
            )
        case .fenced:
            Row(
                409, "The worker was registered again",
                "Another process registered the same worker later, and its epoch counts now. Stop this one, or register again."
            )
        case .receiptForgotten:
            Row(
                409, "The request is older than the window",
                "The server keeps a limited number of receipts per worker, and of answers per client that sends keys: `receipt-window` and the limit `keys`. A worker that was not seen for `worker-lifetime` may lose its receipts to a new worker, and one that is deleted loses them at once. This number or key was used before, and what is left of it keeps it from being applied a second time. Go on with a higher number or a new key, or register the worker for a new epoch."
            )
        case .stale:
            Row(
                409, "The gradient belongs to another step",
                "Pull the parameters again and compute the gradient from them.")
        case .learningRateExhausted:
            Row(
                409, "The learning-rate array has no entry for this step",
                "An array gives its i-th entry to the i-th update. Append entries with PATCH {\"learning_rate\":{\"append\":[...]}}, or create the model with \"past_end\":\"hold\"."
            )
        case .stepsUsedUp:
            Row(
                409, "The steps of the model are used up",
                "Steps, and the counts of parameters under `framework: torch`, are counted up to 2^53 - 1, as far as every JSON library counts exactly. Restore a checkpoint of an earlier step, or send a state with smaller counts: GET .../state.safetensors, change them, PUT .../state."
            )
        case .diverged:
            Row(
                409, "An update would make a parameter or a slot non-finite",
                "The update was refused: parameters, slots and step are as before. Where a parameter would become infinite or NaN, the model's status is `diverged` and pushes are refused until a checkpoint is restored or values are imported, with a lower learning rate. Where only a slot would (the second moment of Adam overflows from a gradient of 2e19 on), the next push is taken: send smaller gradients."
            )
        case .tooManyCheckpoints:
            Row(
                409, "There are as many checkpoints as there may be",
                "A model keeps as many checkpoints as the limit `checkpoints` says, all models together as many as `checkpoints-in-all`; damaged ones count. DELETE one that is not needed any more, the detail names the oldest, or start the daemon with a higher --limit. Nothing was saved."
            )
        case .stateMismatch:
            Row(
                409, "The state does not fit the model",
                "A checkpoint fits a model with the same parameters, groups and optimizer. Create a model from the file instead."
            )
        case .gone:
            Row(
                410, "No longer kept",
                "The newest versions are kept, 4 unless the daemon's --limit versions says otherwise; pull .../parameters and go on from there."
            )
        case .lengthRequired:
            Row(411, "The body has no length", "Send Content-Length, or Transfer-Encoding: chunked.")
        case .preconditionFailed:
            Row(
                412, "The precondition does not hold",
                "The model is not in the version that If-Match or If-None-Match names. GET it, look, and try again with the new ETag."
            )
        case .tooLarge:
            Row(
                413, "The body is too large",
                "Large tensors travel best as safetensors (4 bytes a number). A push or an import may be as long as the model's numbers, a definition as long as the daemon's --memory allows, other JSON 4 MiB. Nothing was applied."
            )
        case .targetTooLong:
            Row(414, "The address is too long", "Use fewer or shorter query arguments.")
        case .unsupportedMediaType:
            Row(
                415, "The content type is not known here",
                "Send JSON (curl --json '{...}') or safetensors (Content-Type: application/vnd.safetensors), without Content-Encoding."
            )
        case .rangeNotSatisfiable:
            Row(416, "The range is outside the file", "HEAD tells the file's length; ask for bytes below it.")
        case .expectationFailed:
            Row(417, "The expectation cannot be met", "The only Expect that is known is 100-continue.")
        case .wrongHost:
            Row(
                421, "The request names another host",
                "Host must be localhost, 127.0.0.1, [::1], the address that the daemon listens on or, where it listens on more than loopback, any address; --allow-host NAME or *.DOMAIN adds others. The probes answer under every Host. This keeps pages of other sites out."
            )
        case .invalidContent:
            Row(
                422, "The content is wrong",
                "The JSON is well-formed, but a name, shape, type or value in it is not right. `errors` points to each place. Nothing was applied."
            )
        case .conflictingQuery:
            Row(
                400, "Query arguments do not go together",
                "An argument is written twice, or means nothing beside the others. The detail says which one to leave out or to add."
            )
        case .conflictingKeys:
            Row(
                400, "Two keys for one request",
                "Idempotency-Key and X-Idempotency-Key are the same header under two names. Send one of them, or the same value in both."
            )
        case .invalidQuery:
            Row(422, "A query argument is wrong", "The detail names the argument and the values that it takes.")
        case .exceedsMemory:
            Row(
                422, "Larger than the memory budget",
                "What the request asks for could not fit even into an empty daemon. Make it smaller, or start the daemon with a larger --memory."
            )
        case .keyReused:
            Row(
                422, "The key was used for another request",
                "A sequence number stands for one push, an Idempotency-Key for one request: method, path, query and body. Choose a new key for a new request; after a restart of a worker, register it (PUT .../workers/NAME) for a new epoch."
            )
        case .tooMany:
            Row(429, "A limit is reached", "Wait for Retry-After, or use fewer of what the detail names.")
        case .headTooLarge:
            Row(431, "The headers are too large", "Send fewer or shorter headers.")
        case .fileDamaged:
            Row(
                500, "A file on the disk is damaged",
                "The detail names a file whose bytes are not those that were written: a checkpoint, a snapshot, a segment of the journal. The model in memory is not touched. Use another checkpoint or step; `paramd verify DIR` lists all damage."
            )
        case .notImplemented:
            Row(
                501, "Not known here",
                "Send GET, HEAD, POST, PUT, PATCH or DELETE; the only transfer coding is chunked.")
        case .outOfMemory:
            Row(
                503, "The memory budget has no room",
                "Everything large is counted against --memory, and bodies of one model or from one address may hold a share of it together (the limits body-memory-per-model and body-memory-per-address). Delete models, send less at a time, or start the daemon with more."
            )
        case .journalBehind:
            Row(
                503, "The journal waits for snapshots",
                "The journal is cut when models have been written out, and changes come faster than that: send the request again after Retry-After. The limit `journal` says how much of it models may need, and is at least three times --snapshot-after and six times what all models weigh. Deletions and reads go on. Nothing was applied."
            )
        case .stopping:
            Row(503, "The daemon is stopping", "Try again after Retry-After; what was acknowledged is kept.")
        case .modelUnavailable:
            Row(
                503, "The model cannot be served",
                "It is in the data directory, and this daemon does not run it: it lacks the optimizer or a schedule, a rule of the user's own crashed, or the daemon was started with --without-model. The detail says which, and what to do. The model's files are kept, and the other models are served."
            )
        case .storageFailed:
            Row(
                503, "The journal has failed",
                "A write to the disk failed, so nothing more is acknowledged; reads still work. Check the disk, then start the daemon again."
            )
        case .outcomeUnknown:
            Row(
                503, "The journal failed while it wrote this",
                "The record was handed to the disk, and the disk did not say that it kept it. The next start of the daemon reads what is there. Check the disk, start the daemon again, then send the same request with the same seq or Idempotency-Key: what was kept is not applied twice."
            )
        case .versionNotSupported:
            Row(505, "That HTTP version is not spoken here", "Speak HTTP/1.1.")
        case .storageFull:
            Row(507, "The disk is full", "Nothing was applied. Make room; pushes resume by themselves.")
        }
    }
}
