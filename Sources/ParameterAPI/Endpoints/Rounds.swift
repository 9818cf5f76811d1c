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
            let names = facts.pushes.count + (facts.missing?.count ?? 0) + (facts.clocks?.clocks.count ?? 0)
            let bytes = 512 + 160 * names
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
                call.answer(exchange, headers: headers, bytes: bytes) {
                    $0.receipt(receipt, of: facts, isOfPush: false)
                }
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
        if let clocks = facts.clocks { self.clocks(clocks) }
        if let missing = facts.missing {
            key("missing")
            beginArray()
            for worker in missing { string(worker.text) }
            endArray()
        }
        endObject()
    }

    private mutating func clocks(_ facts: ClockFacts) {
        member("workers", facts.workers)
        member("slack", facts.slack)
        member("slowest", facts.slowest)
        key("clocks")
        beginObject()
        for (worker, clock) in facts.clocks { member(worker, clock) }
        endObject()
    }

    private mutating func members(of facts: RoundFacts) {
        member("step", facts.step)
        member("received", facts.received)
        if let needed = facts.needed { member("needed", needed) }
        member("quorum", facts.quorum)
        member("closes_in", facts.closesIn?.text)
        if let registered = facts.registered { member("registered", registered) }
        member("late", facts.late)
        key("pushes")
        beginArray()
        for push in facts.pushes { if let key = push.key { self.push(key, push.examples) } }
        endArray()
        member("unnamed", facts.unnamed)
    }

    private mutating func push(_ key: PushKey, _ examples: Int?) {
        beginObject()
        member("worker", key.worker)
        member("epoch", key.epoch)
        member("seq", key.seq)
        if let examples { member("num_examples", examples) }
        endObject()
    }

    /// Writes a text; null if there is none.
    mutating func member(_ name: Name, _ value: String?) {
        key(name)
        if let value { string(value) } else { null() }
    }
}
