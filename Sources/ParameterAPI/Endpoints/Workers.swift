// Workers and the results of their pushes: what a worker needs to continue after its own or the daemon's crash.

import HTTPServing
import Names
import ParameterServing
import TensorCoding

/// `PUT /v1/models/{m}/workers/{w}`: a new epoch, with numbers from 1.
@Sendable func registerWorker(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let worker = try workerName(call)
    let key = try call.requestKey()
    return try call.readNothing { exchange in
        model.submit(Change.register(worker: worker).under(key)) { result in
            call.answer(exchange, result) { call, facts in answer(call, exchange, worker, facts) }
        }
    }
}

/// `DELETE /v1/models/{m}/workers/{w}`: deletes its receipts, but remembers its numbers, so that none is applied twice.
@Sendable func deleteWorker(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let worker = try workerName(call)
    let key = try call.requestKey()
    return try call.readNothing { exchange in
        model.submit(Change.dismiss(worker: worker).under(key)) { result in
            call.answer(exchange, result) { call, _ in call.answerNothing(exchange) }
        }
    }
}

/// `GET /v1/models/{m}/workers/{w}`.
@Sendable func getWorker(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let worker = try workerName(call)
    return .answer { exchange in
        model.workers { workers in
            guard let facts = workers[worker] else {
                return call.answer(
                    exchange,
                    Problem(
                        .notFound, "The model has no worker `\(worker)`; register it with PUT, or let it push."))
            }
            answer(call, exchange, worker, facts)
        }
    }
}

/// `GET /v1/models/{m}/workers`.
@Sendable func listWorkers(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    return .answer { exchange in
        model.workers { workers in
            call.answer(exchange, bytes: 128 * workers.count) { writer in
                writer.beginObject()
                writer.key("workers")
                writer.beginArray()
                for (name, facts) in workers.sorted(by: { $0.key < $1.key }) { writer.worker(name, facts) }
                writer.endArray()
                writer.endObject()
            }
        }
    }
}

/// `GET /v1/models/{m}/pushes/{w}/{seq}`: resolves an unknown outcome.
@Sendable func getPush(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let worker = try workerName(call)
    guard let seq = Int(digits: call.argument("seq")), (1...FixedLimits.largestInteger).contains(seq) else {
        let got = call.argument("seq").prefix(40)
        throw Problem(.notFound, "The number of a push must be from 1 to \(FixedLimits.largestInteger), not `\(got)`.")
    }
    let epoch = try call.integer(.epoch)
    return .answer { exchange in
        model.outcome(ofPush: seq, worker: worker, epoch: epoch) { outcome in
            let facts = model.publication.current.facts
            call.answer(exchange) { writer in
                writer.beginObject()
                writer.member("worker", worker)
                writer.member("seq", seq)
                writer.member("outcome", outcome.word)
                if case .applied(let receipt) = outcome {
                    writer.key("receipt")
                    writer.receipt(receipt, of: facts)
                }
                writer.endObject()
            }
        }
    }
}

private func answer(_ call: Call, _ exchange: Exchange, _ worker: Name, _ facts: WorkerFacts) {
    call.answer(exchange) { $0.worker(worker, facts) }
}

/// The worker named in the path.
private func workerName(_ call: Call) throws(Problem) -> Name {
    let name = call.argument("w")
    guard WorkerName.isValid(name) else {
        throw Problem(.invalidQuery, "A worker's name must be \(WorkerName.rule).")
    }
    return Name(name)
}

extension PushOutcome {
    fileprivate var word: String {
        switch self {
        case .applied: "applied"
        case .pending: "pending"
        case .unknown: "unknown"
        }
    }
}

extension JSONWriter {
    /// Writes the description of a worker.
    fileprivate mutating func worker(_ name: Name, _ facts: WorkerFacts) {
        beginObject()
        member("worker", name)
        member("epoch", facts.epoch)
        member("last_seq", facts.lastSeq)
        endObject()
    }
}
