// The open round: what it holds and waits for, and closing it by hand.

import HTTPServing
import Names
import ParameterServing
import TensorCoding

/// `GET /v1/models/{m}/round`.
@Sendable func getRound(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    return .answer { exchange in
        model.round { facts in
            let bytes = 512 + 160 * (facts.pushes.count + facts.missing.count + facts.clocks.count)
            call.answer(exchange, bytes: bytes) { $0.round(facts) }
        }
    }
}

/// `POST /v1/models/{m}/step`: closes the open round with what it holds.
@Sendable func closeRound(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let key = try call.requestKey()
    return try call.readNothing { exchange in
        model.submit(Change.step().under(key)) { result in
            call.answer(exchange, result) { call, receipt in
                let facts = model.publication.current.facts
                let headers = versionHeaders(Cursor(uid: model.uid, version: receipt.version), step: receipt.step)
                let bytes = 512 + 64 * facts.layout.groups.count
                call.answer(exchange, headers: headers, bytes: bytes) { $0.receipt(receipt, of: facts) }
            }
        }
    }
}

extension JSONWriter {
    /// Writes the open round.
    fileprivate mutating func round(_ facts: RoundFacts) {
        beginObject()
        member("mode", facts.consistency.mode)
        if facts.consistency.hasRounds { members(of: facts) }
        if !facts.clocks.isEmpty {
            key("clocks")
            beginObject()
            for (worker, clock) in facts.clocks { member(worker, clock) }
            endObject()
        }
        endObject()
    }

    private mutating func members(of facts: RoundFacts) {
        member("step", facts.step)
        member("received", facts.pushes.count)
        if let needed = facts.needed {
            member("needed", needed)
            member("quorum", facts.quorum)
        }
        member("closes_in", facts.closesIn?.text)
        member("late", facts.late)
        key("pushes")
        beginArray()
        for push in facts.pushes { self.push(push) }
        endArray()
        if facts.isOfRegistered {
            key("missing")
            beginArray()
            for worker in facts.missing { string(worker.text) }
            endArray()
        }
    }

    private mutating func push(_ push: RoundFacts.Push) {
        beginObject()
        if let key = push.key {
            member("worker", key.worker)
            member("epoch", key.epoch)
            member("seq", key.seq)
        }
        if let examples = push.examples { member("num_examples", examples) }
        endObject()
    }

    /// Writes a text; null if there is none.
    mutating func member(_ name: Name, _ value: String?) {
        key(name)
        if let value { string(value) } else { null() }
    }
}
