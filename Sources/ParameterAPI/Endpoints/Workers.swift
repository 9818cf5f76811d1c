// Workers and the results of their pushes: what a worker needs to continue after its own or the daemon's crash.

import HTTPServing
import Names
import ParameterServing
import TensorCoding

/// `PUT /v1/models/{m}/workers/{w}`: a new epoch, with numbers from 1; with `ttl`, heartbeats keep it.
@Sendable func registerWorker(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let worker = try workerName(call)
    let key = try call.requestKey()
    let lengths = ServingConfiguration.shortestLease...call.api.registry.configuration.longestLease
    let asked = try call.time(.ttl, in: lengths)
    return try call.readFields(["ttl"]) { fields, exchange throws(Problem) in
        let written = fields.time("ttl", in: lengths)
        try fields.check()
        if written != nil { try call.forbidQueries(.ttl, because: "is in the body, too; leave one of them out.") }
        let (ttl, print) = (written ?? asked, fields.fingerprint)
        let change = Change.register(worker: worker, ttl: ttl)
        model.submit(change.under(print.map { key?.with($0) } ?? key)) { result in
            call.answer(exchange, result) { call, registered in
                var facts = registered
                (facts.ttl, facts.expiresIn, facts.age) = (ttl, ttl, .zero)
                answer(call, exchange, worker, facts)
            }
        }
    }
}

/// `POST /v1/models/{m}/workers/{w}/heartbeat`: renews a lease without a push.
@Sendable func renewLease(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let worker = try workerName(call)
    let asked = try call.integer(.epoch)
    return try call.readFields(["epoch"]) { fields, exchange throws(Problem) in
        let written = fields.integer("epoch", in: 0...FixedLimits.largestInteger)
        try fields.check()
        if written != nil { try call.forbidQueries(.epoch, because: "is in the body, too; leave one of them out.") }
        model.renewLease(of: worker, epoch: written ?? asked) { result in
            switch result {
            case .success(let facts): answer(call, exchange, worker, facts)
            case .failure(let error): call.answer(exchange, Problem(error))
            }
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
        model.worker(worker) { facts in
            guard let facts else {
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
            call.answer(exchange, bytes: 192 * workers.count) { writer in
                writer.beginObject()
                writer.key("workers")
                writer.beginArray()
                for (name, facts) in workers { writer.worker(name, facts) }
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
                if let receipt = outcome.receipt {
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
    fileprivate var receipt: Receipt? {
        switch self {
        case .applied(let receipt), .skipped(let receipt), .held(let receipt), .dropped(let receipt): receipt
        case .pending, .unknown: nil
        }
    }

    fileprivate var word: String {
        switch self {
        case .applied: "applied"
        case .skipped: "skipped"
        case .pending: "pending"
        case .held: "held"
        case .dropped: "dropped"
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
        member("registered", facts.isRegistered)
        member("ttl", facts.ttl?.inSeconds)
        member("expires_in", facts.expiresIn?.inSeconds)
        member("seen_ago", facts.age?.inSeconds)
        endObject()
    }
}
