// All limits in one table. It feeds the help, `/v1/server` and the check of `--limit`; a test holds the page of the
// documentation against it. Defaults stand where the number is used, not here.

import ParameterAPI
import ParameterServing

extension Limit {
    /// Every limit, the ones that `--limit` changes first.
    static let table: [Limit] = [
        Limit("connections", .count(\.http.maximumConnections), "Open connections, open files permitting"),
        Limit(
            "connections-per-address", .count(\.http.maximumConnectionsPerAddress),
            "Those of one address, loopback aside"),
        Limit("target-bytes", .bytes(\.http.maximumTargetBytes), "Length of a request's path and query"),
        Limit("header-bytes", .bytes(\.http.maximumHeaderBytes), "Length of a request's headers together"),
        Limit("head-deadline", .time(\.http.headDeadline), "Time for a request's head to arrive"),
        Limit("idle-deadline", .time(\.http.idleDeadline), "Time between requests of a connection"),
        Limit("minimum-rate", .bytes(\.http.minimumRate), "Least bytes per second, body and answer"),
        Limit("rate-window", .time(\.http.rateWindow), "Time over which that rate is measured"),
        Limit("pressure-rate", .bytes(\.http.pressureRate), "Slower transfers make room if need be"),
        Limit(
            "body-memory-per-model", .percent(\.serving.bodyPercentOfModel),
            "Share of --memory for bodies of one model"),
        Limit(
            "body-memory-per-address", .percent(\.serving.bodyPercentOfAddress),
            "Those from one address, proxies here aside"),
        Limit("lingering", .count(\.http.maximumLingering), "Refused connections still read, per loop"),
        Limit("turn", .count(\.http.connectionsPerTurn), "Connections that a loop takes up at once"),
        Limit("models", .count(\.serving.mostModels), "Models at a time"),
        Limit("checkpoints", .count(\.serving.mostCheckpoints), "Checkpoints of a model"),
        Limit("checkpoints-in-all", .count(\.serving.mostCheckpointsInAll), "Those of all models"),
        Limit("versions", .count(\.serving.versions), "Versions of a model that stay readable"),
        Limit("journal", .bytes(\.serving.mostJournal), "Records of the journal before changes wait"),
        Limit("keys", .count(\.serving.requestKeys), "Answers kept for Idempotency-Key, per client"),
        Limit("key-lifetime", .time(\.serving.keyLifetime), "Time that they are kept"),
        Limit("workers", .count(\.serving.mostWorkers), "Workers that a model remembers"),
        Limit("worker-lifetime", .time(\.serving.workerLifetime), "Time unseen until one makes room"),
        Limit("wait", .fixed("\(FixedLimits.longestWait)s"), "Time that a pull may wait"),
        Limit("curve-points", .fixed("\(FixedLimits.curvePoints)"), "Points of one curve of rates"),
        Limit("curve-values", .fixed("\(FixedLimits.curveValues)"), "Points times groups of one answer"),
        Limit(
            "sequence-parts", .fixed("\(DefinitionLimits.sequenceParts)"), "Parts of all sequences of rates"),
        Limit(
            "group-matches", .fixed("\(DefinitionLimits.groupMatches)"),
            "Patterns of groups times parameters"),
        Limit(
            "pull-matches", .fixed("\(FixedLimits.pullMatches)"), "Patterns of a pull times parameters"),
        Limit("mistakes", .fixed("\(FixedLimits.listedMistakes)"), "Mistakes that an answer lists"),
        Limit("suggestions", .fixed("\(FixedLimits.suggestions)"), "Unknown names that get suggestions"),
        Limit(
            "repeated-rates", .fixed("\(FixedLimits.repeatedRates)"), "Shared rate entries of one answer"),
        Limit("rows", .fixed("\(FixedLimits.rows)"), "Rows of a tensor in one answer"),
        Limit("json-depth", .fixed("\(FixedLimits.json.depth)"), "Nesting of a JSON body"),
        Limit(
            "json-envelope", .fixed(ByteCount(bytes: FixedLimits.json.documentBytes).defaultValueDescription),
            "A JSON body without its tensors"),
        Limit(
            "json-rates", .fixed(ByteCount(bytes: FixedLimits.rates.documentBytes).defaultValueDescription),
            "A JSON body with arrays of rates"),
        Limit(
            "json-text", .fixed(ByteCount(bytes: FixedLimits.json.textBytes).defaultValueDescription),
            "A name or a word of a JSON body"),
        Limit("tensors", .fixed("\(FixedLimits.json.tensors)"), "Tensors of one body"),
    ]

    /// The table as the help prints it.
    static var help: String {
        let settings = LayerSettings()
        let rows = table.map { limit in (limit, "\(limit.name)=\(limit.text(in: settings))") }
        let width = rows.map(\.1.count).max() ?? 0
        return rows.map { limit, text in
            let padding = String(repeating: " ", count: width - text.count + 2)
            return "  \(text)\(padding)\(limit.meaning)\(limit.isFixed ? " (fixed)." : ".")"
        }.joined(separator: "\n")
    }
}
