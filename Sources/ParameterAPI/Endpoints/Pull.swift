// Pulling parameters: immediately, or as soon as there is a newer version.

import HTTPServing
import Names
import Optimizers
import ParameterServing

/// `GET /v1/models/{m}/parameters`.
@Sendable func pullParameters(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let selection = try Selection(call, model.publication.current.facts)
    let condition = PullCondition(
        since: try since(call, model), minStep: try call.integer(.minStep), group: selection.group)
    let wait = try call.waitTime()
    let worker = try pullingWorker(call)
    return .answer { exchange in
        guard let wait else {
            if let worker, let refusal = model.gate.refusal(of: worker) {
                return call.answer(exchange, Problem(refusal))
            }
            return answerNow(call, model, selection, condition, exchange)
        }
        guard let worker else { return park(call, model, selection, condition, wait, exchange) }
        waitForOthers(worker, model, wait, call, exchange) { refusal in
            Problem(refusal, afterWaiting: wait).response(for: call.request)
        } then: { left in
            park(call, model, selection, condition, left, exchange)
        }
    }
}

/// The worker that pulls; nil if it is not named.
private func pullingWorker(_ call: Call) throws(Problem) -> Name? {
    guard let text = call.query(.worker) else { return nil }
    guard WorkerName.isValid(text) else {
        throw Problem(.invalidQuery, "A worker's name must be \(WorkerName.rule).")
    }
    return Name(text)
}

/// Continues once the worker is not too far ahead of the slowest.
///
/// - Parameters:
///   - refused: makes the answer if it still is at the end of its time, or if too many requests wait.
///   - start: takes the time that is left.
func waitForOthers(
    _ worker: Name, _ model: Model, _ wait: Duration, _ call: Call, _ exchange: Exchange,
    refused: @escaping @Sendable (ServingError) -> Response,
    then start: @escaping @Sendable (_ left: Duration) -> Void
) {
    guard let refusal = model.gate.refusal(of: worker) else { return start(wait) }
    let timers = call.api.registry.configuration.timers
    let end = timers.now + wait.nanoseconds
    do throws(ServingError) {
        try model.gate.wait(for: worker) { token in
            exchange.onAbandon { model.gate.cancel(token) }
            exchange.expire(after: wait) {
                model.gate.cancel(token)
                return refused(model.gate.refusal(of: worker) ?? refusal)
            }
        } resume: {
            start(.nanoseconds(Int64(end - min(end, timers.now))))
        }
    } catch {
        exchange.complete { refused(error) }
    }
}

/// The version in `since`, a cursor or a bare number.
///
/// - Throws: `cursorUnknown` for a cursor of an earlier model of the same name.
private func since(_ call: Call, _ model: Model) throws(Problem) -> Int? {
    guard let text = call.query(.since) else { return nil }
    guard let cursor = Cursor(text) else {
        if let version = Int(clampingDigits: text), version <= FixedLimits.largestInteger { return version }
        throw Problem(
            .invalidQuery,
            "`since` must be the `cursor` of an earlier answer or a bare version, not `\(text.prefix(40))`.")
    }
    guard cursor.uid == model.uid else {
        let newest = model.publication.current.cursor
        throw Problem(ServingError.cursorUnknown(cursor: "\(cursor)", newest: "\(newest)"))
    }
    return cursor.version
}

private func answerNow(
    _ call: Call, _ model: Model, _ selection: Selection, _ condition: PullCondition, _ exchange: Exchange
) {
    let version = model.publication.current
    if let refusal = condition.refusal(at: version) { return call.answer(exchange, Problem(refusal)) }
    do throws(Problem) {
        let answer = try PullAnswer(call, version, selection)
        if condition.isMet(by: version) { return answer.complete(exchange) }
        exchange.complete { answer.unmet(condition) }
    } catch {
        call.answer(exchange, error)
    }
}

private func park(
    _ call: Call, _ model: Model, _ selection: Selection, _ condition: PullCondition, _ wait: Duration,
    _ exchange: Exchange
) {
    let token = model.publication.wait(for: condition) { result in
        switch result {
        case .version(let version):
            do throws(Problem) { try PullAnswer(call, version, selection).complete(exchange) } catch {
                call.answer(exchange, error)
            }
        case .ended(let error): call.answer(exchange, Problem(error))
        }
    }
    guard let token else { return }
    exchange.onAbandon { model.publication.cancel(token) }
    exchange.expire(after: wait) {
        model.publication.cancel(token)
        let version = model.publication.current
        do throws(Problem) { return try PullAnswer(call, version, selection).unmet(condition) } catch {
            return error.response(for: call.request)
        }
    }
}
