// Creating, reading and deleting models.

import HTTPServing
import Names
import Optimizers
import ParameterServing

/// `PUT /v1/models/{m}`: create.
@Sendable func createModel(_ call: Call) throws(Problem) -> Plan {
    let replacing = try call.flag(.replace)
    let joining = try call.flag(.join)
    if joining, replacing {
        throw Problem(
            .conflictingQuery,
            "`join` and `replace` exclude each other; use ?join=1 to continue with the existing model, or ?replace=1 to start over."
        )
    }
    let name = call.argument("m")
    try checkModelName(name)
    let format = try call.bodyFormat()
    let onlyIfAbsent = call.request.headers["If-None-Match"] == "*"
    let key = try call.requestKey()
    if onlyIfAbsent, key == nil, (try? call.model()) != nil {
        throw Problem(
            .preconditionFailed,
            "`\(name)` already exists, and If-None-Match: * asks for a new model; choose another name, or leave the header out."
        )
    }
    let condition = try replacedModel(call)
    let create = { (source: ModelSource, exchange: Exchange) in
        call.api.registry.create(
            name, source, replacing: replacing, onlyIfAbsent: onlyIfAbsent, joining: joining, condition: condition,
            key: key?.with(source.writtenFingerprint)
        ) { result in answer(result, call, exchange) }
    }
    let receiver: any BodyReceiver =
        format == .json
        ? ContentReceiver(call, DefinitionReader(call), then: create)
        : ContentReceiver(call, FileReader(call, mayOverflow: CheckpointFile.isHeldGradient)) {
            file, exchange throws(Problem) in
            create(try ModelFile.source(file, call.api.registry), exchange)
        }
    return .read(receiver, limit: call.api.definitionLimit)
}

private func answer(_ result: Result<ModelRegistry.Created, ServingError>, _ call: Call, _ exchange: Exchange) {
    switch result {
    case .success(.new(let model)): answerPage(of: model, status: 201, call, exchange)
    case .success(.existing(let model)): answerPage(of: model, status: 200, call, exchange)
    case .success(.repeated(let uid, let step)): answerAgain(uid, step: step, call.replaying, exchange)
    case .failure(let error): call.answer(exchange, Problem(error))
    }
}

/// The answer of an earlier creation; if the model has been deleted since, only its cursor is known.
private func answerAgain(_ uid: ModelUID, step: Int, _ call: Call, _ exchange: Exchange) {
    if let model = try? call.model(), model.uid == uid {
        return answerPage(of: model, at: (step, 1), status: 201, call, exchange)
    }
    let (first, name) = (Cursor(uid: uid, version: 1), call.argument("m"))
    call.answer(exchange, status: 201, headers: versionHeaders(first, step: step)) { writer in
        writer.beginObject()
        writer.member("model", name)
        writer.member("uid", "\(uid)")
        writer.member("step", step)
        writer.member("version", first.version)
        writer.member("cursor", "\(first)")
        let isUnavailable = call.api.registry.unavailableModel(named: name)?.uid == uid
        writer.member("status", isUnavailable ? "unavailable" : "gone")
        writer.key("parameters")
        writer.beginObject()
        writer.endObject()
        writer.endObject()
    }
}

/// The versions that `If-Match` requires of the model of a PUT or a DELETE.
///
/// - Throws: `preconditionFailed`, also if there is no model.
private func replacedModel(_ call: Call) throws(Problem) -> ModelCondition? {
    guard call.request.headers["If-Match"] != nil else { return nil }
    let model: Model
    do throws(Problem) {
        model = try call.model()
    } catch {
        guard error.kind == .unknownModel else { throw error }
        if call.isKeyed { return ModelCondition(uid: ModelUID(number: 0), versions: []) }
        throw Problem(
            .preconditionFailed,
            "The model `\(call.argument("m"))` does not exist, so If-Match cannot match; leave it out to create the model."
        )
    }
    return try call.condition(on: model)
}

/// `GET /v1/models/{m}`: the model's page.
@Sendable func getModel(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    return .answer { exchange in answerPage(of: model, status: 200, call, exchange) }
}

/// `DELETE /v1/models/{m}`.
@Sendable func deleteModel(_ call: Call) throws(Problem) -> Plan {
    let key = try call.requestKey()
    let condition = try deletedModel(call)
    return try call.readNothing { exchange in
        call.api.registry.delete(call.argument("m"), condition: condition, key: key) { result in
            call.answer(exchange, result) { call, _ in call.answerNothing(exchange) }
        }
    }
}

/// The model of a DELETE; without If-Match, also one that is not served.
private func deletedModel(_ call: Call) throws(Problem) -> ModelCondition? {
    if let model = call.api.registry.unavailableModel(named: call.argument("m")),
        call.request.headers["If-Match"] == nil
    {
        return ModelCondition(uid: model.uid)
    }
    do throws(Problem) {
        let model = try call.model()
        return try call.condition(on: model) ?? ModelCondition(uid: model.uid)
    } catch {
        // A retry finds the model deleted or replaced.
        guard call.isKeyed, error.kind == .unknownModel else { throw error }
        return try replacedModel(call)
    }
}

/// Answers a change with the page of `model`: the current one, or, for a retry, that after the first request.
func answerPage(
    of model: Model, after result: Result<Answered<ChangedVersion>, ServingError>, _ call: Call, _ exchange: Exchange,
    skipped: [Complaint] = [], reset: [Name] = []
) {
    call.answer(exchange, result) { call, changed in
        guard call.isReplay else {
            return answerPage(of: model, status: 200, call, exchange, skipped: skipped, reset: reset)
        }
        answerPage(of: model, at: (changed.step, changed.version), status: 200, call, exchange)
    }
}

/// Answers with the page of `model` at a version; with the current definition and rates if the version is not kept.
private func answerPage(
    of model: Model, at place: (step: Int, version: Int), status: Int, _ call: Call, _ exchange: Exchange
) {
    let now = model.publication.current
    let version = model.publication.version(place.version) ?? now.told(at: place.version, step: place.step)
    answerPage(of: model, version, divergence: nil, status: status, call, exchange)
}

/// Answers with the current page of `model`.
///
/// `skipped` lists what a partial import left out, `reset` the parameters whose slots a patch has reset.
func answerPage(
    of model: Model, status: Int, _ call: Call, _ exchange: Exchange, skipped: [Complaint] = [], reset: [Name] = []
) {
    answerPage(
        of: model, model.publication.current, divergence: model.publication.divergence, status: status, call, exchange,
        skipped: skipped, reset: reset)
}

private func answerPage(
    of model: Model, _ version: PublishedVersion, divergence: String?, status: Int, _ call: Call, _ exchange: Exchange,
    skipped: [Complaint] = [], reset: [Name] = []
) {
    let validators = call.validators(version, divergence == nil ? "page" : "page-diverged")
    if validators.hold { return exchange.complete { validators.notModified } }
    var headers = validators.headers
    if status == 201 { headers.append((name: "Location", value: "/v1/models/\(model.name)")) }
    call.answer(exchange, status: status, headers: headers, bytes: version.facts.pageBytes) {
        $0.modelPage(version, divergence: divergence, skipped: skipped, reset: reset)
    }
}

/// The headers of every answer about a version.
func versionHeaders(_ version: PublishedVersion) -> [(name: String, value: String)] {
    versionHeaders(version.cursor, step: version.step)
}

/// As above, for a version of which only the cursor is known.
func versionHeaders(_ cursor: Cursor, step: Int) -> [(name: String, value: String)] {
    [
        (name: "X-Paramd-Step", value: "\(step)"), (name: "X-Paramd-Version", value: "\(cursor.version)"),
        (name: "X-Paramd-Cursor", value: "\(cursor)"),
    ]
}

/// Whether a model may have this name.
func isModelName(_ name: String) -> Bool {
    let isClean = name.utf8.allSatisfy {
        $0 == 0x5f || $0 == 0x2e || $0 == 0x2d || (0x30...0x39).contains($0) || (0x41...0x5a).contains($0)
            || (0x61...0x7a).contains($0)
    }
    return isClean && (1...FixedLimits.nameBytes).contains(name.utf8.count) && name != "." && name != ".."
}

private func checkModelName(_ name: String) throws(Problem) {
    guard isModelName(name) else {
        throw Problem([
            Complaint(
                pointer: "", exception: .valueError,
                detail:
                    "a model's name must be 1 to \(FixedLimits.nameBytes) of the characters A-Z a-z 0-9 _ . -, other than . and .."
            )
        ])
    }
}
