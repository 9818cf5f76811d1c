// Every endpoint of the API, one row each, in the order of the contract.

import HTTPServing

extension Route {
    /// The route table.
    static let all: [Route] = [
        Route(.get, "/", getGuide),
        Route(.get, "/livez", getLiveness),
        Route(.get, "/healthz", getLiveness),
        Route(.get, "/readyz", getReadiness),
        Route(.get, "/version", getVersion),
        Route(.get, "/openapi.json", getContract),
        Route(.get, "/problems/{slug}", getProblemPage),
        Route(.get, "/v1/server", getServer),
        Route(.get, "/v1/models", listModels),
        Route(.put, "/v1/models/{m}", createModel),
        Route(.get, "/v1/models/{m}", getModel),
        Route(.patch, "/v1/models/{m}", patchModel),
        Route(.delete, "/v1/models/{m}", deleteModel),
        Route(.get, "/v1/models/{m}/groups", listGroups),
        Route(.get, "/v1/models/{m}/groups/{g}", getGroup),
        Route(.patch, "/v1/models/{m}/groups/{g}", patchGroup),
        Route(.post, "/v1/models/{m}/gradients", pushGradients),
        Route(.get, "/v1/models/{m}/parameters", suffixes: ["json", "safetensors"], pullParameters),
        Route(.put, "/v1/models/{m}/parameters", suffixes: ["json", "safetensors"], importParameters),
        Route(.get, "/v1/models/{m}/parameters/{p}", suffixes: ["npy"], getParameter),
        Route(.post, "/v1/models/{m}/parameters/{p}/lookup", lookUpRows),
        Route(
            .get, "/v1/models/{m}/versions/{v}/parameters", suffixes: ["json", "safetensors"], getVersionedParameters),
        Route(.get, "/v1/models/{m}/state", suffixes: ["json", "safetensors"], getState),
        Route(.put, "/v1/models/{m}/state", suffixes: ["safetensors"], importState),
        Route(.get, "/v1/models/{m}/workers", listWorkers),
        Route(.put, "/v1/models/{m}/workers/{w}", registerWorker),
        Route(.get, "/v1/models/{m}/workers/{w}", getWorker),
        Route(.delete, "/v1/models/{m}/workers/{w}", deleteWorker),
        Route(.get, "/v1/models/{m}/pushes/{w}/{seq}", getPush),
        Route(.get, "/v1/models/{m}/checkpoints", listCheckpoints),
        Route(.post, "/v1/models/{m}/checkpoints", saveCheckpoint),
        Route(.get, "/v1/models/{m}/checkpoints/{id}", suffixes: ["safetensors"], getCheckpoint),
        Route(.delete, "/v1/models/{m}/checkpoints/{id}", deleteCheckpoint),
        Route(.post, "/v1/models/{m}/checkpoints/{id}/restore", restoreCheckpoint),
        Route(.post, "/v1/models/{m}/rollback", rollbackModel),
        Route(.get, "/v1/models/{m}/lr", suffixes: CurveForm.suffixes, getLearningRates),
        Route(.get, "/v1/models/{m}/weight_decay", suffixes: CurveForm.suffixes, getWeightDecays),
        Route(.post, "/v1/lr_preview", suffixes: CurveForm.suffixes, previewLearningRate),
    ]
}
