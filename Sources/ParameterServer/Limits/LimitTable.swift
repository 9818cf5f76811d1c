// All limits in one table. The help, `/v1/server` and the checks of all settings sources use it; a test compares it
// with `api/settings.md`. The defaults are defined where the numbers are used, not here.

import HTTPServing
import Names
import Optimizers
import ParameterAPI
import ParameterServing
import TensorCoding

extension Setting {
    /// All limits; those that `--limit` can change come first.
    static let limits: [Setting] = [
        Setting(limit: "connections", .count(\.http.maximumConnections), "Open connections, open files permitting"),
        Setting(
            limit: "connections-per-address", .count(\.http.maximumConnectionsPerAddress),
            "Those of one address, except loopback"),
        Setting(limit: "target-bytes", .bytes(\.http.maximumTargetBytes), "Length of a request's path and query"),
        Setting(limit: "header-bytes", .bytes(\.http.maximumHeaderBytes), "Total length of a request's headers"),
        Setting(limit: "head-deadline", .time(\.http.headDeadline), "Time for a request's head to arrive"),
        Setting(limit: "idle-deadline", .time(\.http.idleDeadline), "Time between requests of a connection"),
        Setting(limit: "minimum-rate", .bytes(\.http.minimumRate), "Minimum bytes per second of a body or answer"),
        Setting(limit: "rate-window", .time(\.http.rateWindow), "Time over which that rate is measured"),
        Setting(limit: "pressure-rate", .bytes(\.http.pressureRate), "Slower transfers are dropped first"),
        Setting(limit: "pressure-grace", .time(\.http.pressureGrace), "Time before that applies to a transfer"),
        Setting(limit: "half-closed", .time(\.http.halfClosedPatience), "Wait for a client that has finished sending"),
        Setting(
            limit: "body-memory-per-model", .percent(\.serving.bodyPercentOfModel),
            "Share of --memory for bodies of one model"),
        Setting(
            limit: "body-memory-per-address", .percent(\.serving.bodyPercentOfAddress),
            "Those from one address, except local proxies"),
        Setting(limit: "lingering", .count(\.http.maximumLingering), "Refused connections still read, per loop"),
        Setting(limit: "linger", .time(\.http.lingerDeadline), "Time that their bytes are still read"),
        Setting(
            limit: "ignored-body", .bytes(\.http.maximumIgnoredBytes), "Rest of a refused body that keeps a connection"),
        Setting(limit: "turn", .count(\.http.connectionsPerTurn), "Connections that a loop accepts at once"),
        Setting(limit: "models", .count(\.serving.mostModels), "Number of models"),
        Setting(limit: "checkpoints", .count(\.serving.mostCheckpoints), "Checkpoints of a model"),
        Setting(limit: "checkpoints-in-all", .count(\.serving.mostCheckpointsInAll), "Checkpoints of all models"),
        Setting(limit: "versions", .count(\.serving.versions), "Versions of a model that stay readable"),
        Setting(
            limit: "version-bytes", .bytes(\.serving.versionBytes), "Bytes of earlier versions that stay readable"),
        Setting(limit: "waiting-pulls", .percent(\.waitingPercent), "Share of connections for requests that wait"),
        Setting(limit: "journal", .bytes(\.serving.mostJournal), "Journal needed by models before changes wait"),
        Setting(limit: "keys", .count(\.serving.requestKeys), "Stored answers per client, for Idempotency-Key"),
        Setting(limit: "key-lifetime", .time(\.serving.keyLifetime), "Lifetime of these answers"),
        Setting(limit: "workers", .count(\.serving.mostWorkers), "Workers of a model"),
        Setting(limit: "worker-lifetime", .time(\.serving.workerLifetime), "Time unseen before one can be replaced"),
        Setting(limit: "lease", .time(\.serving.longestLease), "Longest ttl of a worker"),
        Setting(limit: "barriers", .count(\.serving.mostBarriers), "Barriers of a model"),
        Setting(
            limit: "barrier-waiters", .count(\.serving.mostAtBarriers), "Arrivals and requests at a model's barriers"),
        Setting(limit: "barrier-hold", .time(\.serving.barrierHold), "Time that an arrival counts without a request"),
        Setting(limit: "events", .count(\.serving.keptEvents), "Stored events of a model, besides updates"),
        Setting(limit: "event-streams", .count(\.serving.mostEventStreams), "Event streams"),
        Setting(limit: "event-heartbeat", .time(\.serving.eventHeartbeat), "Time between a stream's heartbeats"),
        Setting(limit: "arguments", .fixed(HTTPConfiguration.maximumArguments), "Arguments of a request's query"),
        Setting(
            limit: "connection-memory", .fixed(bytes: ServerConfiguration().http.connectionMemory),
            "A connection, with a request's head"),
        Setting(limit: "reserved-files", .fixed(HTTPConfiguration.reservedFiles), "Open files that connections leave"),
        Setting(limit: "refusals", .fixed(HTTPConfiguration.keptRefusals), "Cached answers to refusals"),
        Setting(limit: "settings-file", .fixed(bytes: SettingFile.mostBytes), "A settings file"),
        Setting(limit: "page-size", .fixed(FixedLimits.pageSize), "Models on a page of the list"),
        Setting(limit: "name-bytes", .fixed(FixedLimits.nameBytes), "A model's or a worker's name"),
        Setting(limit: "parameter-name", .fixed(Name.longestParameter), "Code points of a parameter's name"),
        Setting(limit: "group-name", .fixed(GroupPlan.longestName), "Bytes of a group's name"),
        Setting(limit: "optimizers", .fixed(GroupPlan.mostOptimizers), "Optimizers of a model, with its groups"),
        Setting(
            limit: "hyperparameters", .fixed(Hyperparameters.mostValues), "Hyperparameters that a push can set"),
        Setting(limit: "pattern", .fixed(Glob.longest), "Bytes of a pattern of names"),
        Setting(limit: "key-length", .fixed(RequestKey.longest), "Characters of an Idempotency-Key"),
        Setting(limit: "condition-versions", .fixed(FixedLimits.conditionVersions), "Versions that an If-Match names"),
        Setting(
            limit: "spare-arenas", .fixed(ServingConfiguration.spareArenas), "Spare copies of a model's values"),
        Setting(limit: "version-turns", .fixed(ServingConfiguration.versionTurns), "Changes of a model without a step"),
        Setting(
            limit: "event-interval", .fixed(TimeSpan(ServingConfiguration.eventInterval).text),
            "Time that joins a stream's updates"),
        Setting(limit: "event-changes", .fixed(PatchedSettings.mostChanges), "Changed settings that an event lists"),
        Setting(limit: "event-values", .fixed(PatchedSettings.mostValues), "Numbers of a value that it has in full"),
        Setting(limit: "event-text", .fixed(PatchedSettings.mostText), "Bytes of a text that it has in full"),
        Setting(limit: "history-points", .fixed(ServingConfiguration.historyPoints), "Points of a series of a history"),
        Setting(
            limit: "history-rates", .fixed(ServingConfiguration.historyRates), "Points times groups of its rates"),
        Setting(
            limit: "history-workers", .fixed(ServingConfiguration.historyWorkers), "Workers whose push rate it has"),
        Setting(
            limit: "history-metrics", .fixed(ServingConfiguration.historyMetrics),
            "Names of metrics and hyperparameters"),
        Setting(
            limit: "key-memory", .fixed(bytes: ServingConfiguration.keptAnswerBytes),
            "Memory of answers for keys, per model"),
        Setting(
            limit: "expired-workers", .fixed(ServingConfiguration.expiredWorkers),
            "Workers without receipts, remembered"),
        Setting(
            limit: "shortest-lease", .fixed(TimeSpan(ServingConfiguration.shortestLease).text),
            "Shortest ttl of a worker"),
        Setting(limit: "barrier-names", .fixed(BarrierFacts.namesTold), "Workers named by a barrier's answer"),
        Setting(
            limit: "read-ahead", .fixed(bytes: ServingConfiguration.bytesReadAhead),
            "Records not yet applied at a start"),
        Setting(limit: "encodings", .fixed(EncodingCache.mostEntries), "Answers of a version that are shared"),
        Setting(limit: "shared-encoding", .fixed(bytes: PieceSize.shared), "Length up to which an answer is shared"),
        Setting(
            limit: "in-place", .fixed(bytes: PieceSize.inPlace), "Bytes that a network thread handles"),
        Setting(
            limit: "names-in-place", .fixed(FixedLimits.namesInPlace), "Names times arguments it goes through"),
        Setting(limit: "stream-ahead", .fixed(bytes: PieceSize.ahead), "Made of an answer before it is read"),
        Setting(limit: "wait", .fixed("\(FixedLimits.longestWait)s"), "Time that a pull may wait"),
        Setting(limit: "curves", .fixed(ModelRegistry.mostErrands), "Curves that wait to be computed"),
        Setting(limit: "curve-points", .fixed(FixedLimits.curvePoints), "Points of one curve of rates"),
        Setting(limit: "curve-values", .fixed(FixedLimits.curveValues), "Points times groups of one answer"),
        Setting(limit: "sequence-parts", .fixed(DefinitionLimits.sequenceParts), "Parts of all sequences of rates"),
        Setting(limit: "group-matches", .fixed(DefinitionLimits.groupMatches), "Patterns of groups times parameters"),
        Setting(limit: "krum-pushes", .fixed(DefinitionLimits.krumPushes), "Pushes of a round that krum compares"),
        Setting(limit: "pull-matches", .fixed(FixedLimits.pullMatches), "Patterns of a pull times parameters"),
        Setting(limit: "mistakes", .fixed(FixedLimits.listedMistakes), "Mistakes that an answer lists"),
        Setting(limit: "suggestions", .fixed(FixedLimits.suggestions), "Unknown names that get suggestions"),
        Setting(limit: "quoted-word", .fixed(FixedLimits.quotedCharacters), "Characters of a word quoted whole"),
        Setting(limit: "beyond-range", .fixed(FixedLimits.namesBeyondRange), "Parameters named as beyond 16 bits"),
        Setting(limit: "checksums", .fixed(FixedLimits.keptChecksums), "Cached checksums of checkpoints"),
        Setting(limit: "repeated-rates", .fixed(FixedLimits.repeatedRates), "Shared rate entries of one answer"),
        Setting(limit: "rows", .fixed(FixedLimits.rows), "Rows of a tensor in one answer"),
        Setting(limit: "json-depth", .fixed(FixedLimits.json.depth), "Nesting of a JSON body"),
        Setting(
            limit: "json-envelope", .fixed(bytes: FixedLimits.json.documentBytes), "A JSON body without its tensors"),
        Setting(
            limit: "json-rates", .fixed(bytes: FixedLimits.rates.documentBytes), "A JSON body with arrays of rates"),
        Setting(limit: "json-text", .fixed(bytes: FixedLimits.json.textBytes), "A name or a word of a JSON body"),
        Setting(limit: "tensors", .fixed(FixedLimits.json.tensors), "Tensors of one body"),
        Setting(limit: "rank", .fixed(JSONLimits.rank), "Dimensions of a tensor in JSON"),
        Setting(limit: "issues", .fixed(FixedLimits.json.issues), "Wrong tensors described in full"),
        Setting(
            limit: "safetensors-header", .fixed(bytes: SafetensorsLimits().headerBytes),
            "The header of a safetensors body"),
    ]

    /// The limits as printed by the help.
    static var helpOnLimits: String {
        let rows = limits.map { limit in (limit, "\(limit.name)=\(limit.builtIn)") }
        let width = rows.map(\.1.count).max() ?? 0
        return rows.map { limit, text in
            let padding = String(repeating: " ", count: width - text.count + 2)
            return "  \(text)\(padding)\(limit.meaning)\(limit.kind.form == .fixed ? " (fixed)." : ".")"
        }.joined(separator: "\n")
    }
}
