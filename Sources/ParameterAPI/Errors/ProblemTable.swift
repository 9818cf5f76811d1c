// The rows of ProblemKind. A new kind is a case there and a row here; the compiler checks that none is missing. Used by
// the help pages and `api/errors.md`.

extension ProblemKind {
    /// Status, title, and the two parts of the help page.
    struct Row {
        var status: Int
        var title: String
        /// What happened, and the rule or limit behind it.
        var meaning: String
        /// What the client or the operator can do.
        var remedy: String

        init(_ status: Int, _ title: String, _ meaning: String, remedy: String) {
            self.status = status
            self.title = title
            self.meaning = meaning
            self.remedy = remedy
        }
    }

    var row: Row {
        switch self {
        case .malformedJSON:
            Row(
                400, "The body is not JSON",
                "The body could not be read as JSON. The detail gives the line and column.",
                remedy:
                    "Fix the text at that place. Common causes: NaN or Infinity, which JSON does not have (skip that step, or push safetensors), a trailing comma, a repeated key, single quotes, or a truncated body."
            )
        case .malformedRequest:
            Row(
                400, "The request is malformed",
                "The request line or a header breaks the rules of HTTP. Nothing after it can be trusted, so the connection is closed.",
                remedy:
                    "Check the client, or the proxy between it and the daemon."
            )
        case .malformedTensors:
            Row(
                400, "The body is not a safetensors file",
                "The header of the file must be a JSON object, and the tensors in it must cover the data without gaps.",
                remedy:
                    "Write the file with the safetensors library, or send JSON."
            )
        case .crossSite:
            Row(
                403, "Pages of other sites may not write here",
                "The Origin or Sec-Fetch-Site header says that a page of another site made the browser send this request. Only pages of this address and of the hosts named with --allow-host may write. Programs such as curl do not send these headers.",
                remedy:
                    "Send the request from a program, serve the page from this address, or start the daemon with --allow-host NAME."
            )
        case .notFound:
            Row(
                404, "Not found",
                "The path, or something that it names, does not exist.",
                remedy:
                    "If a similar name exists, the detail suggests it. GET /openapi.json lists all paths; GET / shows the first commands."
            )
        case .unknownModel:
            Row(
                404, "The model does not exist",
                "The path names a model that does not exist. Its name may be misspelled, or the model was deleted.",
                remedy:
                    "GET /v1/models lists the models; PUT /v1/models/NAME creates one."
            )
        case .methodNotAllowed:
            Row(
                405, "The method is not allowed for this path",
                "The path exists, but not with this method.",
                remedy:
                    "Use one of the methods in the Allow header."
            )
        case .notAcceptable:
            Row(
                406, "No representation matches Accept",
                "The answer is not available in any of the media types that the Accept header allows.",
                remedy:
                    "Ask for application/json or application/vnd.safetensors, or add .json or .safetensors to the path."
            )
        case .requestTimeout:
            Row(
                408, "The request arrived too slowly",
                "The head of a request must arrive before a deadline, and its body must arrive faster than a minimum rate, which only stalled connections fall below. When connections or memory run out, the slowest bodies are dropped first.",
                remedy:
                    "Send the request again."
            )
        case .modelExists:
            Row(
                409, "A model of that name exists",
                "A model of this name was created with another definition.",
                remedy:
                    "Choose another name, delete the model, or use ?replace=1 to start over. ?join=1 uses the existing model if it has the same parameters."
            )
        case .modelReplaced:
            Row(
                409, "The model was replaced",
                "The model that the request was meant for was deleted or replaced while the request was being processed.",
                remedy:
                    "Pull, then continue with the new model."
            )
        case .inFlight:
            Row(
                409, "The first request with this key is still being processed",
                "A request with the same key arrived earlier and has not been answered yet.",
                remedy:
                    "Send the same request again after the time in Retry-After; it then gets the answer of the first one."
            )
        case .cursorUnknown:
            Row(
                409, "The cursor does not belong to this model",
                "A cursor is only valid for the model that it came from, until that model is deleted or created again. A bare version number must be one that the model has reached.",
                remedy:
                    "Pull without `since` and continue with the cursor of that answer."
            )
        case .fenced:
            Row(
                409, "The epoch is not the worker's current one",
                "Another process registered the same worker later, the worker's lease ran out, or it was deleted; or the worker never had this epoch. An epoch that has ended is never reused, so requests with it are refused for good.",
                remedy:
                    "Stop this process if another one has taken its place; otherwise register the worker again, pull, and continue with the new epoch."
            )
        case .receiptForgotten:
            Row(
                409, "The receipt is no longer available",
                "The server keeps a limited number of receipts per worker (`receipt-window`), and a limited number of answers per client that sends keys (the limit `keys`). A worker that has been silent for `worker-lifetime` can lose its receipts to a new worker; a deleted worker loses them immediately. This number or key was used before, so the server does not apply the request a second time.",
                remedy:
                    "Continue with a higher number or a new key, or register the worker for a new epoch."
            )
        case .stale:
            Row(
                409, "The gradient belongs to another step",
                "The gradient was computed from parameters that do not match the step of the model.",
                remedy:
                    "Pull the parameters and compute the gradient from them."
            )
        case .roundClosed:
            Row(
                409, "The round has already closed",
                "The gradient was computed from parameters of an earlier step, and the round that used them has closed without it.",
                remedy:
                    "Pull the parameters and compute the gradient from them."
            )
        case .roundDropped:
            Row(
                409, "The round was dropped",
                "The round was discarded without an update, because it had too few pushes at its deadline, an earlier state was restored, or its update was refused. Its gradients are lost.",
                remedy:
                    "Pull the parameters and push again with a new seq or Idempotency-Key."
            )
        case .roundEmpty:
            Row(
                409, "The open round is empty",
                "A round can only be closed after at least one push.",
                remedy:
                    "Push a gradient first. GET .../round lists the pushes in the round."
            )
        case .alreadyInRound:
            Row(
                409, "The worker has already pushed in this round",
                "In `consistency` of mode \"sync\", each worker pushes once per round.",
                remedy:
                    "Wait until the round closes (?wait=30s on the push, or pull with `since`), then push for the next round."
            )
        case .roundFull:
            Row(
                409, "The round would have more pushes than krum compares",
                "`\"reduce\":\"krum\"` compares each push of a round with every other, so a round has at most `krum-pushes` of them, and rounds that wait for all registered workers have at most that many workers.",
                remedy:
                    "Close the round with POST .../step, or delete workers that have ended. For larger rounds use the reduce `trimmed_mean` or `median`."
            )
        case .tooFewPushes:
            Row(
                409, "The open round has too few pushes for its reduction",
                "`krum` and `trimmed_mean` leave out wrong gradients only if a round has enough pushes: 2 * `byzantine` + 3 for krum, 1 / `trim` for trimmed_mean. With fewer, POST .../step is refused, and so is a PATCH to a mode without rounds, which would close the round.",
                remedy:
                    "Wait for more pushes; GET .../round counts them. Or PATCH `consistency` with a smaller `byzantine` or a larger `trim`, or with `\"reduce\":\"mean\"` and null for `byzantine` or `trim` to apply the round without that protection."
            )
        case .roundMisfit:
            Row(
                409, "The open round does not fit the settings",
                "The pushes in the open round were accepted with other settings. With the new ones their update would be refused: every group would have an `lr` of its own, for example, while the pushes set a `learning_rate` for the groups without one; or their gradients, multiplied by the old loss scale, would be divided by the new one. A PATCH that would cause this is refused. If it arrives together with such a push, both can be accepted; POST .../step and a push that would complete the round are then refused, and the round is dropped at its deadline.",
                remedy:
                    "Before the PATCH, close the round with POST .../step, or wait for its deadline. To close a round that the settings refuse, PATCH the settings so that they accept its pushes; in mode \"manual\", PATCH \"consistency\":{\"mode\":\"async\"} drops it."
            )
        case .otherHyperparameters:
            Row(
                409, "The hyperparameters differ from those of the round",
                "A round is one update, so all of its pushes must have the same `hyperparameters`, or none.",
                remedy:
                    "Send the same hyperparameters as the other workers, or push in the next round."
            )
        case .noRounds:
            Row(
                409, "The model has no rounds",
                "In this mode each push is applied immediately, so the server has no round to close.",
                remedy:
                    "PATCH the model with \"consistency\":{\"mode\":\"manual\"} or mode \"sync\" to collect pushes in rounds."
            )
        case .notRegistered:
            Row(
                409, "The worker is not registered",
                "Only registered workers can push to this model: each of its rounds waits for all of them.",
                remedy:
                    "Register with PUT .../workers/NAME and push with the epoch that it returns, or set `workers` to a number."
            )
        case .tooFarAhead:
            Row(
                409, "The worker is too far ahead",
                "In `consistency` of mode \"ssp\", the clock of a worker may be at most `slack` ahead of the slowest one. The slowest clock is 0 until `workers` workers have pushed or left. GET .../round shows all clocks, and which workers have not pushed yet.",
                remedy:
                    "Pull with wait=30s, which answers as soon as the slowest worker has caught up. If a worker has stopped for good, DELETE .../workers/NAME, so that the others do not wait for it. A worker registered with PUT .../workers/NAME?ttl=30s leaves once it has been silent for that long."
            )
        case .barrierDiffers:
            Row(
                409, "The barrier has a different count",
                "All workers that meet at a barrier must send the same `count`. The first worker to arrive sets it until all have arrived.",
                remedy:
                    "Send the same count as the other workers, use another barrier name, or wait until the earlier arrivals expire."
            )
        case .learningRateExhausted:
            Row(
                409, "The learning-rate array has no entry for this step",
                "An array gives its first entry to the first update, its second to the second, and so on. This update is past its end.",
                remedy:
                    "Append entries with PATCH {\"learning_rate\":{\"append\":[...]}}, or create the model with \"past_end\":\"hold\". For a curve, ask for fewer steps."
            )
        case .stepsUsedUp:
            Row(
                409, "The model has used up its steps",
                "Steps, and the counts of parameters with `framework: torch`, go up to 2^53 - 1, the largest integer that every JSON library reads exactly.",
                remedy:
                    "Restore a checkpoint of an earlier step, or send a state with smaller counts: GET .../state.safetensors, change them, PUT .../state."
            )
        case .diverged:
            Row(
                409, "The update would make a parameter or a slot non-finite",
                "The update was refused: parameters, slots and step are as before. If a parameter would become infinite or NaN, the status of the model is `diverged`, and pushes are refused. If only a slot would (the second moment of Adam overflows for gradients above 2e19), later pushes are accepted.",
                remedy:
                    "If the model is `diverged`, restore a checkpoint or import values, and lower the learning rate. Otherwise, push smaller gradients."
            )
        case .averageNotStarted:
            Row(
                409, "The average has no values yet",
                "An average has no values before its first update: `ema` is updated from step `start` on, `swa` at step `start` and then once every `every` steps. If you add an average to a running model, it starts at the next of these steps.",
                remedy:
                    "Wait for that step with ?min_step=STEP&wait=60s, pull without `average`, or PATCH a smaller `start`."
            )
        case .tooManyCheckpoints:
            Row(
                409, "There are too many checkpoints",
                "A model can have as many checkpoints as the limit `checkpoints`, and all models together as many as `checkpoints-in-all`. Damaged ones count. Nothing was saved.",
                remedy:
                    "DELETE a checkpoint that you no longer need, such as the oldest, which the detail names, or start the daemon with a higher --limit."
            )
        case .stateMismatch:
            Row(
                409, "The state does not fit the model",
                "A state can only be restored into a model with the same parameters, groups and optimizer.",
                remedy:
                    "Create a new model from the file instead."
            )
        case .keptInMemory:
            Row(
                409, "The daemon keeps models in memory",
                "It was started with --durability memory, so it writes no files: there are no checkpoints, and no earlier steps to return to.",
                remedy:
                    "Download the parameters and the state, and PUT them again later, or start the daemon with another --durability."
            )
        case .gone:
            Row(
                410, "The version is no longer available",
                "A model keeps its newest versions, 4 unless --limit versions sets another number; fewer while memory is short, and only the newest after a restart. The detail names the oldest available version.",
                remedy:
                    "Pull .../parameters and continue with the version that it returns."
            )
        case .keyRequired:
            Row(
                400, "The push needs a key",
                "Several workers push to this model. A retry of a push without a key cannot be recognized and would count twice.",
                remedy:
                    "Send `worker` and `seq`, or an Idempotency-Key."
            )
        case .eventsTooOld:
            Row(
                410, "The events are no longer available",
                "A feed keeps its newest 1024 events and the latest update (--limit events). Events of a model survive a restart if the journal still has them; the events of /v1/events do not.",
                remedy:
                    "Read the state of the model again, then connect without Last-Event-ID."
            )
        case .lengthRequired:
            Row(
                411, "The body has no length",
                "The request does not give the length of its body.",
                remedy:
                    "Send Content-Length, or Transfer-Encoding: chunked."
            )
        case .preconditionFailed:
            Row(
                412, "The precondition failed",
                "The model is not at the version that If-Match or If-None-Match requires; another client may have changed it.",
                remedy:
                    "GET the model, decide again, and retry with the new ETag."
            )
        case .tooLarge:
            Row(
                413, "The body is too large",
                "A push or an import can be as long as the numbers of the model need, a definition as long as --memory allows, other JSON up to 4 MiB.",
                remedy:
                    "Send large tensors as safetensors (4 bytes per number), or split the request."
            )
        case .targetTooLong:
            Row(
                414, "The address is too long",
                "The path and its query are longer than the limit `target-bytes`, or have too many arguments.",
                remedy:
                    "Send fewer or shorter query arguments."
            )
        case .unsupportedMediaType:
            Row(
                415, "The content type is not supported",
                "Bodies are JSON or, for tensors, safetensors, without Content-Encoding.",
                remedy:
                    "Send JSON (curl --json '{...}') or safetensors (Content-Type: application/vnd.safetensors)."
            )
        case .rangeNotSatisfiable:
            Row(
                416, "The range is outside the file",
                "The Range header asks for bytes past the end of the file.",
                remedy:
                    "Ask for bytes within the file; HEAD returns its length."
            )
        case .expectationFailed:
            Row(
                417, "The expectation is not supported",
                "The Expect header asks for something other than 100-continue.",
                remedy:
                    "Leave the Expect header out."
            )
        case .wrongHost:
            Row(
                421, "The host is not allowed",
                "The Host header must be localhost, 127.0.0.1, [::1], the address that the daemon listens on, or a host named with --allow-host. A daemon that listens beyond loopback also accepts any IP address. The check keeps out pages of other sites; the probes answer for every host.",
                remedy:
                    "Use one of these names, or start the daemon with --allow-host NAME or --allow-host *.DOMAIN."
            )
        case .invalidContent:
            Row(
                422, "The content is invalid",
                "The body is well-formed, but a name, shape, type or value in it is wrong.",
                remedy:
                    "Fix every mistake listed in `errors`."
            )
        case .conflictingQuery:
            Row(
                400, "Query arguments contradict each other",
                "An argument is given more than once, or has no meaning together with the others.",
                remedy:
                    "Leave out or add the argument that the detail names."
            )
        case .conflictingKeys:
            Row(
                400, "The request has two keys",
                "Idempotency-Key and X-Idempotency-Key are two names of the same header, but their values differ.",
                remedy:
                    "Send one of them, or the same value in both."
            )
        case .invalidQuery:
            Row(
                422, "A query argument is invalid",
                "An argument of the query is unknown, or its value is not allowed.",
                remedy:
                    "Use one of the arguments or values that the detail names."
            )
        case .exceedsMemory:
            Row(
                422, "The request exceeds the memory budget",
                "The request needs more than --memory, even if the daemon held nothing else.",
                remedy:
                    "Make the request smaller, or start the daemon with a larger --memory."
            )
        case .keyReused:
            Row(
                422, "The key was used for another request",
                "A sequence number belongs to one push, an Idempotency-Key to one request: its method, path, query (except for `wait`) and body.",
                remedy:
                    "Use a new key for a new request. After a worker restarts, register it with PUT .../workers/NAME for a new epoch."
            )
        case .tooMany:
            Row(
                429, "A limit is reached",
                "The daemon has reached the limit that the detail names.",
                remedy:
                    "Use less of it, or retry after the time in Retry-After."
            )
        case .headTooLarge:
            Row(
                431, "The headers are too large",
                "The headers together are longer than the limit `header-bytes`.",
                remedy:
                    "Send fewer or shorter headers."
            )
        case .fileDamaged:
            Row(
                500, "A file on the disk is damaged",
                "The content of a checkpoint, a snapshot or a segment of the journal has changed since it was written. The detail names the file. The model in memory is unaffected.",
                remedy:
                    "Use another checkpoint or step. `paramd verify DIR` lists all damage."
            )
        case .notImplemented:
            Row(
                501, "The method or transfer coding is not supported",
                "The server supports the methods GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS, and the transfer coding chunked.",
                remedy:
                    "Use one of these."
            )
        case .outOfMemory:
            Row(
                503, "The memory budget is used up",
                "Models, requests and answers count against --memory. The bodies for one model, or from one address, can only hold a share of it together (the limits `body-memory-per-model` and `body-memory-per-address`).",
                remedy:
                    "Retry after the time in Retry-After, send less at a time, delete models, or start the daemon with a larger --memory."
            )
        case .tooManyStreams:
            Row(
                503, "Too many event streams",
                "The daemon already serves as many event streams as the limit `event-streams` allows.",
                remedy:
                    "Retry after the time in Retry-After, close event streams that you do not need, or start the daemon with a larger --limit event-streams."
            )
        case .journalBehind:
            Row(
                503, "The journal is waiting for snapshots",
                "The journal can only be cut after snapshots of the models are written, and changes arrive faster than that. The limit `journal` sets how much of it models may need; it is at least three times --snapshot-after and six times the size of all models. Deletions and reads continue.",
                remedy:
                    "Send the request again after the time in Retry-After."
            )
        case .tooManyWaiting:
            Row(
                503, "Too many requests are waiting",
                "The daemon limits how many requests can wait, because each keeps a connection open, and how many workers can wait at the barriers of a model.",
                remedy:
                    "Retry after the time in Retry-After, leave `wait` out, use fewer barriers, or start the daemon with a larger --limit connections, waiting-pulls, barriers or barrier-waiters."
            )
        case .stopping:
            Row(
                503, "The daemon is stopping",
                "The daemon has been told to stop and accepts no new requests, or it has too many connections.",
                remedy:
                    "Retry after the time in Retry-After. Acknowledged changes are safe."
            )
        case .modelUnavailable:
            Row(
                503, "The model cannot be served",
                "The model is in the data directory, but this daemon does not run it: its optimizer or schedule is missing, a custom rule crashed, or the daemon was started with --without-model. The daemon keeps its files and serves all other models.",
                remedy:
                    "The detail gives the reason and says what to do."
            )
        case .storageFailed:
            Row(
                503, "The journal has failed",
                "A write to the disk failed, so no further writes are acknowledged. Reads still work.",
                remedy:
                    "Check the disk, then start the daemon again."
            )
        case .outcomeUnknown:
            Row(
                503, "The journal failed while writing this request",
                "The record was handed to the disk, but the disk did not confirm it. The next start of the daemon reads what is there.",
                remedy:
                    "Check the disk, start the daemon again, then send the same request with the same seq or Idempotency-Key. It is never applied twice."
            )
        case .versionNotSupported:
            Row(
                505, "The HTTP version is not supported",
                "The server supports HTTP/1.0 and HTTP/1.1.",
                remedy:
                    "Use HTTP/1.1."
            )
        case .storageFull:
            Row(
                507, "The disk is full",
                "The disk has no space left for the next write. Reads still work.",
                remedy:
                    "Free some space; pushes resume without a restart."
            )
        case .memoryRefused:
            Row(
                507, "The system refused memory",
                "The --memory budget has room, but the operating system refused the memory: the process, its container or the machine has reached a limit. The daemon reserves the memory for a change before it writes the change to the journal.",
                remedy:
                    "Raise that limit (`ulimit -v`, the container's memory, `vm.overcommit_memory`), or start the daemon with a smaller --memory."
            )
        }
    }
}
