// Pushing gradients: the receipt, or the new parameters in the same round trip.

import HTTPServing
import Optimizers
import ParameterServing
import TensorCoding
import Threading

/// `POST /v1/models/{m}/gradients`.
@Sendable func pushGradients(_ call: Call) throws(Problem) -> Plan {
    let wait = try call.waitTime()
    let model = try call.model()
    let ifVersion = try call.checkMatch(model)
    let key = try call.requestKey()
    let format = try call.bodyFormat()
    let answersPull = try call.flag(.pull)
    let showsStages = try call.flag(.stages)
    if try call.flag(.dryRun) {
        if answersPull {
            try call.forbidQueries(
                .pull,
                because: "returns the new parameters of a push, and a dry run makes none; leave one of them out.")
        }
        return try dryRun(call, model, format, stages: showsStages) { push in change(push, key, ifVersion) }
    }
    if showsStages { try call.forbidQueries(.stages, because: "reports the stages of a dry run; add dry_run=1.") }
    if !answersPull { try forbidSelection(call) }
    return call.readPush(of: model, format) { push, exchange throws(Problem) in
        let selection = answersPull ? try Selection(call, model.publication.current.facts) : nil
        let change = change(push, key, ifVersion)
        let hasExpired = Locked(false)
        let held = wait.map { wait in waiting(wait, exchange) { hasExpired.withLock { $0 = true } } }
        let pull = selection.map { PushedPull(model, $0, worker: push.key?.worker, wait: wait, call) }
        model.submit(push: change, held: held) { result in
            call.answer(exchange, result) { call, receipt in
                let isEarly = wait != nil && !hasExpired.withLock { $0 }
                answer(receipt, of: model, pull, call, exchange, isEarly: isEarly)
            }
        }
    }
}

/// A push under the key of its request; if it has the worker's own number, that identifies it.
private func change(_ push: Push, _ key: RequestKey?, _ ifVersion: [Int]?) -> Change<Receipt> {
    Change.push(push).under(push.key == nil ? key?.with(push.fingerprint) : nil, ifVersion: ifVersion)
}

/// Lets the request of a held push wait for its round.
///
/// When the time is up, `expired` is called, and the answer is 202.
private func waiting(
    _ wait: Duration, _ exchange: Exchange, _ expired: @escaping @Sendable () -> Void
) -> @Sendable (Answered<Receipt>, RoundWait) -> Void {
    { _, round in
        exchange.onAbandon { round.end() }
        exchange.expire(after: wait) {
            expired()
            round.expire()
        }
    }
}

/// The answer to a push that waits in a round.
///
/// - Parameter isEarly: whether its request had to end before its time.
private func heldAnswer(_ receipt: Receipt, of model: Model, _ call: Call, isEarly: Bool) -> Response {
    let facts = model.publication.current.facts
    let headers = versionHeaders(Cursor(uid: model.uid, version: receipt.version), step: receipt.step)
    let later = isEarly ? [(name: "Retry-After", value: "5")] : []
    let own = (isEarly ? [] : call.preferenceHeaders) + call.replayHeaders
    return .json(indented: call.isIndented, status: 202, headers: headers + later + own) {
        $0.receipt(receipt, of: facts)
    }
}

private func forbidSelection(_ call: Call) throws(Problem) {
    try call.forbidQueries(
        .group, .name, .average, .dtype, .encoding, .metaOnly, because: "selects what is pulled; add pull=1.")
}

/// `?dry_run=1`: changes nothing.
private func dryRun(
    _ call: Call, _ model: Model, _ format: BodyFormat, stages: Bool, as change: @escaping (Push) -> Change<Receipt>
) throws(Problem) -> Plan {
    try forbidSelection(call)
    return call.readPush(of: model, format) { push, exchange in
        let brought = push.hyperparameters
        model.dryRun(change(push), showingStages: stages, bytesPerValue: JSONWriter.bytesPerValue) { result in
            switch result {
            case .success((let preview, let memory)):
                if let refusal = preview.refusal { return call.answer(exchange, Problem(refusal)) }
                let version = model.publication.current
                let bytes = memory?.bytes ?? 512 + 64 * version.facts.layout.groups.count + (brought?.bytes ?? 0)
                call.answer(exchange, headers: versionHeaders(version), bytes: bytes, loan: memory) {
                    $0.preview(preview, on: version, bringing: brought, stages: stages)
                }
            case .failure(let error): call.answer(exchange, Problem(error))
            }
        }
    }
}

extension PushPreview {
    /// The refusal that a repeated push gets whose round was dropped.
    fileprivate var refusal: ServingError? { if case .repeated(let receipt) = self { receipt.refusal } else { nil } }
}

private func answer(
    _ receipt: Receipt, of model: Model, _ pull: PushedPull?, _ call: Call, _ exchange: Exchange, isEarly: Bool
) {
    if let refusal = receipt.refusal { return call.answer(exchange, Problem(refusal)) }
    if receipt.round?.state == .held {
        return exchange.complete { heldAnswer(receipt, of: model, call, isEarly: isEarly) }
    }
    if let pull { return pull.answer(receipt, call, exchange) }
    let facts = model.publication.current.facts
    let headers = versionHeaders(Cursor(uid: model.uid, version: receipt.version), step: receipt.step)
    let bytes = 512 + 64 * facts.layout.groups.count + (receipt.hyperparameters?.bytes ?? 0)
    call.answer(exchange, headers: headers + call.preferenceHeaders, bytes: bytes) { $0.receipt(receipt, of: facts) }
}
