// All endpoints of the API, one row each, in the order of the contract. A test compares both directions.

import HTTPServing

extension Route {
    /// The route table.
    static let all: [Route] = [
        Route(
            .get, "/", .none, queries: nil, answers: [.txt, .html],
            "A short guide with commands to paste, as text for curl and as a page for browsers.",
            getGuide),
        Route(
            .get, "/livez", .none, queries: nil, answers: [.txt],
            "Whether the process answers.",
            getLiveness),
        Route(
            .get, "/healthz", .none, queries: nil, answers: [.txt],
            "The same as /livez.",
            getLiveness),
        Route(
            .get, "/readyz", .none, queries: nil, answers: [.txt],
            "Whether pushes are accepted; 503 while the daemon drains or after its disk failed, 507 while the disk is full.",
            getReadiness),
        Route(
            .get, "/version", .none, queries: nil,
            "Name and version of the daemon.",
            getVersion),
        Route(
            .get, "/openapi.json", .none, queries: nil,
            "This contract.",
            getContract),
        Route(
            .get, "/problems/{slug}", .none, queries: nil, answers: [.txt, .html],
            "The meaning of a problem, and what to do about it.",
            getProblemPage),
        Route(
            .get, "/v1/server", .admin,
            "Version, memory, optimizers, schedules, and every setting with its origin.",
            getServer),
        Route(
            .get, "/v1/models", .read, queries: [.prefix, .pageSize, .pageToken],
            "Models by name, in pages.",
            listModels),
        Route(
            .put, "/v1/models/{m}", .admin, queries: [.replace, .join], bodies: [.json, .safetensors],
            "Create a model.",
            createModel),
        Route(
            .get, "/v1/models/{m}", .read,
            "Definition, step, version, sizes, and per parameter its group and whether it decays and is centralized.",
            getModel),
        Route(
            .patch, "/v1/models/{m}", .admin, bodies: [.json, .mergePatch],
            "Change hyperparameters while training runs.",
            patchModel),
        Route(
            .delete, "/v1/models/{m}", .admin, answers: [],
            "Remove a model and its checkpoints; waiting pulls end with 404.",
            deleteModel),
        Route(
            .get, "/v1/models/{m}/groups", .read,
            "Parameter groups in update order.",
            listGroups),
        Route(
            .get, "/v1/models/{m}/groups/{g}", .read,
            "One parameter group.",
            getGroup),
        Route(
            .patch, "/v1/models/{m}/groups/{g}", .admin, bodies: [.json, .mergePatch],
            "Change one group's hyperparameters while training runs.",
            patchGroup),
        Route(
            .post, "/v1/models/{m}/gradients", .push, queries: Query.selection + [.pull, .wait, .dryRun, .stages],
            bodies: [.json, .safetensors], answers: [.json, .safetensors],
            "Push gradients; the server takes a step.",
            pushGradients),
        Route(
            .get, "/v1/models/{m}/round", .read,
            "The open round: its pushes, the pushes that are missing, and its deadline.",
            getRound),
        Route(
            .post, "/v1/models/{m}/step", .admin,
            "Close the open round with the pushes that it has so far.",
            closeRound),
        Route(
            .get, "/v1/models/{m}/parameters", suffixes: [.json, .safetensors], .read,
            queries: Query.selection + [.since, .wait, .minStep, .worker], answers: [.json, .safetensors],
            "Pull one consistent version, as JSON or, by `Accept`, as safetensors.",
            pullParameters),
        Route(
            .put, "/v1/models/{m}/parameters", suffixes: [.json, .safetensors], .admin, queries: [.partial],
            bodies: [.json, .safetensors],
            "Set values, all or nothing; the version rises, the step does not change.",
            importParameters),
        Route(
            .post, "/v1/models/{m}/parameters", .admin, bodies: [.json],
            "Add parameters, or rows to parameters, while training runs.",
            growModel),
        Route(
            .get, "/v1/models/{m}/parameters/{p}", suffixes: [.npy], .read,
            queries: [.rows, .average, .dtype, .encoding],
            answers: [.json, .safetensors],
            "One tensor, or rows of it.",
            getParameter),
        Route(
            .post, "/v1/models/{m}/parameters/{p}/lookup", .read, queries: [.average, .dtype, .encoding],
            bodies: [.json], answers: [.json, .safetensors],
            "Rows of a tensor in the requested order, such as those of an embedding.",
            lookUpRows),
        Route(
            .get, "/v1/models/{m}/versions/{v}/parameters", suffixes: [.json, .safetensors], .read,
            queries: Query.selection, answers: [.json, .safetensors],
            "A retained version, immutable and cacheable forever; every pull names its own in Content-Location.",
            getVersionedParameters),
        Route(
            .get, "/v1/models/{m}/state", suffixes: [.json, .safetensors], .read, queries: [.average],
            answers: [.json, .safetensors],
            "The optimizer's slots, as `NAME#slot` under the framework's names, and its scalars.",
            getState),
        Route(
            .put, "/v1/models/{m}/state", suffixes: [.safetensors], .admin, bodies: [.safetensors],
            "Replace the optimizer's slots, counts and scalars, all or nothing.",
            importState),
        Route(
            .get, "/v1/models/{m}/workers", .read,
            "The workers that have pushed or registered.",
            listWorkers),
        Route(
            .put, "/v1/models/{m}/workers/{w}", .push, queries: [.ttl], bodies: [.json],
            "Register a worker. Registering again after a restart starts a new epoch and fences the older process.",
            registerWorker),
        Route(
            .get, "/v1/models/{m}/workers/{w}", .read,
            "A worker's epoch, last number and lease.",
            getWorker),
        Route(
            .post, "/v1/models/{m}/workers/{w}/heartbeat", .push, queries: [.epoch], bodies: [.json],
            "Renew a worker's lease between two pushes.",
            renewLease),
        Route(
            .delete, "/v1/models/{m}/workers/{w}", .admin, answers: [],
            "Delete a worker and its receipts; numbers that it has used are still never applied again.",
            deleteWorker),
        Route(
            .get, "/v1/models/{m}/barriers/{name}", .read,
            "The open generation of a barrier, and the workers that have arrived.",
            getBarrier),
        Route(
            .post, "/v1/models/{m}/barriers/{name}", .push, queries: [.wait], bodies: [.json],
            "Arrive at a barrier, and wait until `count` workers have arrived.",
            arriveAtBarrier),
        Route(
            .get, "/v1/models/{m}/pushes/{w}/{seq}", .read, queries: [.epoch],
            "The result of a push whose answer was lost.",
            getPush),
        Route(
            .get, "/v1/models/{m}/checkpoints", .read,
            "The checkpoints of a model.",
            listCheckpoints),
        Route(
            .post, "/v1/models/{m}/checkpoints", .admin,
            "Save the current parameters, slots, step and held gradients.",
            saveCheckpoint),
        Route(
            .get, "/v1/models/{m}/checkpoints/{id}", suffixes: [.safetensors], .read, queries: [.average],
            answers: [.json, .safetensors],
            "A checkpoint's description.",
            getCheckpoint),
        Route(
            .delete, "/v1/models/{m}/checkpoints/{id}", .admin, answers: [],
            "Remove a checkpoint.",
            deleteCheckpoint),
        Route(
            .post, "/v1/models/{m}/checkpoints/{id}/restore", .admin,
            "Restore a checkpoint; the step goes back, the version still rises.",
            restoreCheckpoint),
        Route(
            .post, "/v1/models/{m}/rollback", .admin, bodies: [.json],
            "Restore any step that the journal still covers.",
            rollbackModel),
        Route(
            .get, "/v1/models/{m}/lr", suffixes: CurveForm.formats, .read, queries: Query.steps + [.param],
            answers: CurveForm.formats,
            "The learning rate of the next update, of a step, over a range, or of parameters.",
            getLearningRates),
        Route(
            .get, "/v1/models/{m}/weight_decay", suffixes: CurveForm.formats, .read, queries: Query.steps,
            answers: CurveForm.formats,
            "The weight decay by group, as configured and times the loss scale (`get_weight_decay`).",
            getWeightDecays),
        Route(
            .get, "/v1/models/{m}/history", suffixes: HistoryForm.formats, .read,
            queries: [.series, .from, .to, .points], answers: HistoryForm.formats,
            "The history of a training: loss, rates, norms, staleness, and the metrics that clients report.",
            getHistory),
        Route(
            .get, "/v1/models/{m}/events", .read, queries: [.types, .lastEventID], answers: [.events],
            "What happens to a model, as Server-Sent Events: updates, patches, restores, workers, its deletion.",
            followModel),
        Route(
            .get, "/v1/events", .read, queries: [.types, .lastEventID], answers: [.events],
            "What happens to all models, as Server-Sent Events.",
            followAll),
        Route(
            .post, "/v1/models/{m}/scalars", .push, bodies: [.json],
            "Record metrics without a push.",
            reportScalars),
        Route(
            .post, "/v1/lr_preview", suffixes: CurveForm.formats, .read, bodies: [.json], answers: CurveForm.formats,
            "A learning-rate definition evaluated without a model, at most 100,000 points.",
            previewLearningRate),
    ]
}
