// Barriers: workers that wait for each other, such as before the first pull or between two epochs of the data.

import HTTPServing
import Names
import ParameterServing
import TensorCoding
import Threading

/// `GET /v1/models/{m}/barriers/{name}`.
@Sendable func getBarrier(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let facts = model.barriers.facts(of: try barrierName(call), at: call.api.registry.configuration.clock())
    return .answer { exchange in call.answer(exchange, bytes: 512 + 160 * facts.workers.count) { $0.barrier(facts) } }
}

/// `POST /v1/models/{m}/barriers/{name}`: `{"worker":"w1","count":3}`, `?wait=60s`.
@Sendable func arriveAtBarrier(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let barrier = try barrierName(call)
    let wait = try call.waitTime()
    let most = call.api.registry.configuration.mostAtBarriers
    let known: [Name] = ["worker", "count", "epoch", "generation"]
    return try call.readFields(known, isOptional: false) { fields, exchange throws(Problem) in
        let found = try readArrival(at: barrier, &fields, most: most)
        arrive(call, model, found.arrival, epoch: found.epoch, wait, exchange)
    }
}

private func arrive(
    _ call: Call, _ model: Model, _ arrival: Arrival, epoch: Int?, _ wait: Duration?, _ exchange: Exchange
) {
    let resume: @Sendable (Result<BarrierFacts, ServingError>) -> Void = { result in answer(call, exchange, result) }
    model.arrive(arrival, epoch: epoch, resume: wait == nil ? nil : resume) { result in
        switch result {
        case .success(.passed(let facts)), .success(.held(let facts)): answer(call, exchange, .success(facts))
        case .success(.waits(let waiting)): park(call, model, waiting, wait ?? .zero, exchange)
        case .failure(let error): answer(call, exchange, .failure(error))
        }
    }
}

/// The arrival in a body, and the epoch of its worker.
private func readArrival(
    at barrier: Name, _ fields: inout FieldsReader, most: Int
) throws(Problem) -> (arrival: Arrival, epoch: Int?) {
    fields.require("worker", "send the name of the worker that arrives")
    fields.require("count", "send the number of workers to wait for")
    let worker = fields.worker("worker")
    let count = fields.integer("count", in: 1...most)
    let generation = fields.integer("generation", in: 1...FixedLimits.largestInteger)
    let epoch = fields.integer("epoch", in: 0...FixedLimits.largestInteger)
    try fields.check()
    let arrival = Arrival(barrier: barrier, worker: worker ?? "", count: count ?? 0, generation: generation)
    return (arrival, epoch)
}

private func barrierName(_ call: Call) throws(Problem) -> Name {
    let name = call.argument("name")
    guard WorkerName.isValid(name) else {
        throw Problem(.invalidQuery, "A barrier's name must be \(WorkerName.rule).")
    }
    return Name(name)
}

private func park(
    _ call: Call, _ model: Model, _ waiting: BarrierWait, _ wait: Duration, _ exchange: Exchange
) {
    let clock = call.api.registry.configuration.clock
    exchange.onAbandon { model.barriers.withdraw(waiting) }
    // A killed worker's connection looks like that of a client that has only finished sending, which is rare here.
    exchange.expire(after: wait, leaving: { response(call, model.barriers.withdraw(waiting)) }) {
        response(call, model.barriers.giveUp(waiting, at: clock()))
    }
}

private func answer(_ call: Call, _ exchange: Exchange, _ result: Result<BarrierFacts, ServingError>) {
    exchange.complete { response(call, result) }
}

/// 200 for a barrier that is released, 202 for one that is not.
private func response(_ call: Call, _ result: Result<BarrierFacts, ServingError>) -> Response {
    switch result {
    case .success(let facts):
        Response.json(
            indented: call.isIndented, status: facts.isReleased ? 200 : 202, headers: call.preferenceHeaders
        ) { $0.barrier(facts) }
    case .failure(let error): Problem(error).response(for: call.request)
    }
}

extension JSONWriter {
    fileprivate mutating func barrier(_ facts: BarrierFacts) {
        beginObject()
        member("barrier", facts.barrier)
        member("arrived", facts.arrived)
        member("count", facts.count)
        member("released", facts.isReleased)
        member("generation", facts.generation)
        if !facts.isReleased {
            key("workers")
            beginArray()
            for worker in facts.workers { string(worker.text) }
            endArray()
            if let heldFor = facts.heldFor { member("held_for", heldFor.inSeconds) }
        }
        endObject()
    }
}
