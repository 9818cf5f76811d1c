// Every number that the daemon reports about itself, one row each, in the order of `/v1/server`. A test compares the
// rows with the answer and with the contract, in both directions.

import Threading

extension Metric {
    /// The table of metrics.
    static let all: [Metric] = [
        Metric(.top, "models", .gauge, "Models that are served.") { $0.registry.count },
        Metric(.memory, "limit", .gauge, in: .bytes, "Memory for models and requests: the setting `memory`.") {
            $0.registry.budget.limit
        },
        Metric(.memory, "reserved", .gauge, in: .bytes, "Memory reserved by models and requests now.") {
            $0.registry.budget.reserved
        },
        Metric(.network, "connections", .gauge, "Open connections.") { $0.counters.connections },
        Metric(.network, "accepted", .counter, "Connections since the start.") { $0.counters.accepted },
        Metric(.network, "waiting", .gauge, "Requests that wait for their answer.") { $0.counters.parked },
        Metric(.network, "event_streams", .gauge, "Open event streams.") { $0.streams.current },
        Metric(.network, "requests", .counter, "Requests since the start.") { $0.counters.requests },
        Metric(.network, "client_errors", .counter, "Answers with a status from 400 to 499 since the start.") {
            $0.counters.clientErrors
        },
        Metric(.network, "server_errors", .counter, "Answers with a status of 500 or more since the start.") {
            $0.counters.serverErrors
        },
        Metric(.network, "received_bytes", .counter, in: .bytes, "Bytes of bodies since the start.") {
            $0.counters.receivedBytes
        },
        Metric(.network, "sent_bytes", .counter, in: .bytes, "Bytes of answers since the start, without their heads.") {
            $0.counters.queuedBytes
        },
        Metric(
            .network, "longest_job_us", .gauge, in: .microseconds,
            "The longest time that a single job has occupied a network thread, in CPU time."
        ) { Int($0.counters.longestJob / 1000) },
        Metric(
            .invariants, "broken", .counter,
            "How often an invariant was broken; it should be 0."
        ) { _ in Invariants.process.violations.reduce(0) { $0 + $1.count } },
        Metric(.journal, "limit", .gauge, in: .bytes, "The largest value of `needed` before changes are refused.") {
            $0.registry.journalBytes?.most
        },
        Metric(.journal, "needed", .gauge, in: .bytes, "Bytes of the journal that models need.") {
            $0.registry.journalBytes?.needed
        },
    ]
}
