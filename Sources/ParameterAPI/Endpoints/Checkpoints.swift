// Checkpoints: save, list, show, download, restore, delete; and rollback, which needs none.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// `POST /v1/models/{m}/checkpoints`.
@Sendable func saveCheckpoint(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let key = try call.requestKey()
    return try call.readNothing { exchange in
        call.api.registry.saveCheckpoint(of: model, key: key) { result in
            call.answer(exchange, result) { call, facts in answer(facts, of: model, call, exchange) }
        }
    }
}

private func answer(_ facts: CheckpointFacts, of model: Model, _ call: Call, _ exchange: Exchange) {
    let location = "/v1/models/\(model.name)/checkpoints/\(facts.id)"
    call.answer(exchange, status: 201, headers: [(name: "Location", value: location)]) {
        $0.checkpoint(facts, of: model)
    }
}

/// `GET /v1/models/{m}/checkpoints`.
@Sendable func listCheckpoints(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    return .answer { exchange in
        call.api.registry.checkpoints(of: model) { result in
            switch result {
            case .success(let list):
                call.answer(exchange, bytes: 256 * (list.intact.count + list.damaged.count)) { writer in
                    writer.beginObject()
                    writer.key("checkpoints")
                    writer.beginArray()
                    for facts in list.intact { writer.checkpoint(facts, of: model) }
                    writer.endArray()
                    writer.key("damaged")
                    writer.beginArray()
                    for damage in list.damaged { writer.damage(damage) }
                    writer.endArray()
                    writer.endObject()
                }
            case .failure(let error): call.answer(exchange, Problem(error))
            }
        }
    }
}

/// `GET /v1/models/{m}/checkpoints/{id}`: its description, or with `.safetensors` the file, whole or in ranges.
@Sendable func getCheckpoint(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let id = try checkpointID(call)
    if call.suffix == nil {
        try call.forbidQueries(.average, because: "selects values of the file; add .safetensors to the path.")
    }
    return .answer { exchange in
        call.api.registry.openCheckpoint(id, of: model) { result in
            switch result {
            case .success(let file?) where call.suffix == "safetensors":
                let answer = Result { () throws(Problem) in
                    try CheckpointDownload(file, try part(of: file, call), model, call).response(call)
                }
                exchange.complete { answer.orProblem(for: call.request) }
            case .success(let file?): call.answer(exchange) { $0.checkpoint(file.facts, of: model) }
            case .success(nil): call.answer(exchange, noCheckpoint(id, model))
            case .failure(let error): call.answer(exchange, Problem(error))
            }
        }
    }
}

/// The whole file, or the average that the query names.
private func part(of file: CheckpointFile, _ call: Call) throws(Problem) -> CheckpointFile.Part {
    guard let text = call.query(.average) else { return file.whole }
    guard let part = file.part(ofAverage: Name(text)) else {
        let known = file.averageNames
        let hint =
            known.isEmpty
            ? "leave `average` out, because the checkpoint has no averages."
            : NearestNames.hint(Name(text), among: known)
        throw Problem(
            .invalidQuery, "Checkpoint \(file.facts.id) has no values of an average `\(text.prefix(40))`; \(hint)")
    }
    return part
}

/// `DELETE /v1/models/{m}/checkpoints/{id}`.
@Sendable func deleteCheckpoint(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let id = try checkpointID(call)
    let key = try call.requestKey()
    return try call.readNothing { exchange in
        call.api.registry.deleteCheckpoint(id, of: model, key: key) { result in
            guard let result = result.found() else { return call.answer(exchange, noCheckpoint(id, model)) }
            call.answer(exchange, result) { call, _ in call.answerNothing(exchange) }
        }
    }
}

/// `POST /v1/models/{m}/checkpoints/{id}/restore`: the step goes back, the version forward.
@Sendable func restoreCheckpoint(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let ifVersion = try call.checkMatch(model)
    let id = try checkpointID(call)
    let key = try call.requestKey()
    return try call.readNothing { exchange in
        call.api.registry.restore(model, toCheckpoint: id, key: key, ifVersion: ifVersion) { result in
            answer(call, exchange, model, result, absent: noCheckpoint(id, model))
        }
    }
}

/// `POST /v1/models/{m}/rollback`: `{"step":n}`, any step that snapshots and journal still cover.
@Sendable func rollbackModel(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let ifVersion = try call.checkMatch(model)
    let key = try call.requestKey()
    _ = try call.bodyFormat()
    let receiver = ContentReceiver(call, DocumentReader(call)) { document, exchange throws(Problem) in
        guard document.members?.count == 1, let step = document["step"]?.integer,
            (0...Int64(FixedLimits.largestInteger)).contains(step)
        else {
            throw Problem([Complaint(pointer: "/step", exception: .typeError, detail: "write {\"step\":120}")])
        }
        let requestKey = key?.with(SettingValue(document).fingerprint)
        call.api.registry.rollback(model, toStep: Int(step), key: requestKey, ifVersion: ifVersion) { result in
            let absent = Problem(
                .notFound,
                "Step \(step) of `\(model.name)` can no longer be restored; GET .../checkpoints lists the checkpoints.")
            answer(call, exchange, model, result, absent: absent)
        }
    }
    return .read(receiver, limit: DocumentReader.limit)
}

private func answer(
    _ call: Call, _ exchange: Exchange, _ model: Model, _ result: Result<Answered<ChangedVersion>?, ServingError>,
    absent: Problem
) {
    guard let result = result.found() else { return call.answer(exchange, absent) }
    answerPage(of: model, after: result, call, exchange)
}

private func checkpointID(_ call: Call) throws(Problem) -> UInt64 {
    guard let id = Int(digits: call.argument("id")) else {
        throw Problem(
            .notFound,
            "The id of a checkpoint must be a number, not `\(call.argument("id").prefix(40))`; GET .../checkpoints lists them."
        )
    }
    return UInt64(id)
}

private func noCheckpoint(_ id: UInt64, _ model: Model) -> Problem {
    Problem(.notFound, "`\(model.name)` has no checkpoint \(id); GET .../checkpoints lists them.")
}

extension Result {
    /// The result of a search that succeeded or failed; nil if nothing was found.
    fileprivate func found<Value>() -> Result<Value, Failure>? where Success == Value? {
        switch self {
        case .success(let value): value.map { .success($0) }
        case .failure(let error): .failure(error)
        }
    }
}

extension Result<Response, Problem> {
    /// The answer, or the problem as an answer.
    fileprivate func orProblem(for request: Request) -> Response {
        switch self {
        case .success(let response): response
        case .failure(let problem): problem.response(for: request)
        }
    }
}

extension JSONWriter {
    /// Writes the description of a checkpoint.
    fileprivate mutating func checkpoint(_ facts: CheckpointFacts, of model: Model) {
        beginObject()
        member("id", Int(facts.id))
        member("step", facts.step)
        member("version", facts.version)
        member("cursor", "\(Cursor(uid: model.uid, version: facts.version))")
        member("created", facts.created)
        member("bytes", facts.bytes)
        endObject()
    }

    /// Writes the damage of a checkpoint.
    fileprivate mutating func damage(_ checkpoint: DamagedCheckpoint) {
        beginObject()
        member("id", Int(checkpoint.id))
        member("file", checkpoint.file)
        member("reason", checkpoint.reason)
        member("bytes", checkpoint.bytes)
        endObject()
    }
}
