// One request in an endpoint: its head, the path's arguments, and the server it is for.

import HTTPServing
import Names
import Optimizers
import ParameterServing

/// The context of an endpoint; a class, because closures of one request share it.
final class Call: Sendable {
    let request: Request
    /// The row of the route table that matched.
    let route: Route
    /// The path's arguments by name, percent-decoded once.
    let arguments: [String: String]
    /// The representation selected by the path's suffix.
    let suffix: String?
    let api: ParameterAPI
    /// Whether the answer repeats that of an earlier arrival.
    let isReplay: Bool
    /// Whether the request takes well under a millisecond: its body has few bytes, and it concerns few names, counted
    /// once for each of its arguments.
    let isShort: Bool

    /// Makes the context of a request that has arrived.
    init(_ request: Request, _ route: Route, arguments: [String: String], suffix: String?, api: ParameterAPI) {
        (self.request, self.route, self.arguments, self.suffix, self.api) = (request, route, arguments, suffix, api)
        isReplay = false
        let body = request.isChunked ? .max : request.contentLength ?? 0
        let names = route.scope == .none ? 0 : api.registry.nameCount(of: arguments["m"])
        isShort = body <= PieceSize.inPlace && names * (1 + request.query.count) <= FixedLimits.namesInPlace
    }

    private init(replaying call: Call) {
        (request, route, arguments, suffix, api) = (call.request, call.route, call.arguments, call.suffix, call.api)
        (isReplay, isShort) = (true, call.isShort)
    }

    /// This call with its answer marked as repeated.
    var replaying: Call { Call(replaying: self) }

    /// The header of a repeated answer.
    var replayHeaders: [(name: String, value: String)] {
        isReplay ? [(name: "Idempotency-Replayed", value: "true")] : []
    }

    /// The value of a path argument.
    func argument(_ name: String) -> String { arguments[name] ?? "" }

    /// The value of a query argument; the first if there are several.
    func query(_ query: Query) -> String? { request.query.first { $0.name == query.rawValue }?.value }

    /// All values of a query argument.
    func values(of query: Query) -> [String] { request.query.filter { $0.name == query.rawValue }.map(\.value) }

    /// Whether the answer is for a person at a terminal and should be indented.
    var isIndented: Bool { request.headers["User-Agent"]?.hasPrefix("curl/") ?? false }

    /// The model named in the path.
    func model() throws(Problem) -> Model {
        do {
            return try api.registry.model(named: argument("m"))
        } catch {
            throw Problem(error)
        }
    }

    /// Refuses unknown query arguments and repeated ones: neither a misspelled nor a contradictory argument may be
    /// ignored silently.
    func checkQueries() throws(Problem) {
        guard let queries = route.queries, !request.query.isEmpty else { return }
        let names = queries.map(\.rawValue)
        for (name, _) in request.query where !names.contains(name) {
            let known = names.isEmpty ? "none" : names.joined(separator: ", ")
            let near = NearestNames.of(Name(name), among: names.map { Name($0) }).first
            let hint = near.map { "did you mean `\($0)`? This" } ?? "this"
            throw Problem(.invalidQuery, "Unknown query argument `\(name)`; \(hint) request takes \(known).")
        }
        for query in queries where !query.isRepeatable && values(of: query).count > 1 {
            let name = query.rawValue
            throw Problem(.conflictingQuery, "`\(name)` is given more than once; leave one value.")
        }
    }

    /// Refuses query arguments that have no effect in this request; `reason` follows the name.
    func forbidQueries(_ queries: Query..., because reason: String) throws(Problem) {
        for query in queries where self.query(query) != nil {
            throw Problem(.conflictingQuery, "`\(query.rawValue)` \(reason)")
        }
    }

    /// An integer in the query.
    func integer(_ name: Query, in range: ClosedRange<Int> = 0...FixedLimits.largestInteger) throws(Problem) -> Int? {
        guard let text = query(name) else { return nil }
        guard let value = Int(clampingDigits: text), range.contains(value) else {
            let bounds = "from \(range.lowerBound) to \(range.upperBound)"
            throw Problem(
                .invalidQuery, "`\(name.rawValue)` must be a whole number \(bounds), not `\(text.prefix(40))`.")
        }
        return value
    }

    /// A switch in the query: `1`, `true` or an empty value is on, `0` or `false` is off.
    func flag(_ name: Query) throws(Problem) -> Bool {
        switch query(name) {
        case nil, "0", "false": return false
        case "1", "true", "": return true
        case .some(let text):
            throw Problem(.invalidQuery, "`\(name.rawValue)` must be 1 or 0, not `\(text.prefix(40))`.")
        }
    }
}

extension Call {
    /// Whether the request has a key, so that an apparent conflict may be its own earlier arrival.
    var isKeyed: Bool { !keyValues.isEmpty }

    private var keyValues: [String] {
        request.headers.values(of: "Idempotency-Key") + request.headers.values(of: "X-Idempotency-Key")
    }

    /// The request's key, without its body.
    ///
    /// - Throws: `conflictingKeys` for two that differ, `malformedRequest` for bytes outside ASCII, for which headers
    ///   have no encoding, `invalidContent` for anything else that is not a key.
    func requestKey() throws(Problem) -> RequestKey? {
        let keys = Set(keyValues.map { Array(Self.unquoted($0).utf8) })
        guard let bytes = keys.first else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        guard keys.count == 1 else {
            throw Problem(
                .conflictingKeys,
                "Idempotency-Key and X-Idempotency-Key differ; send one of them, or the same value in both."
            )
        }
        guard bytes.allSatisfy({ $0 < 0x80 }) else {
            throw Problem(
                .malformedRequest,
                "Idempotency-Key contains characters that are not ASCII; use letters, digits and punctuation, such as a UUID."
            )
        }
        let length = bytes.count
        guard (1...RequestKey.longest).contains(length), bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
            let detail = "Idempotency-Key must have 1 to \(RequestKey.longest) characters, without spaces"
            throw Problem([Complaint(pointer: "", exception: .valueError, detail: detail)])
        }
        return RequestKey(text: Name(text), target: target, time: api.registry.now.time)
    }

    /// Structured headers put text in quotes; most clients leave them out.
    private static func unquoted(_ text: String) -> String {
        text.utf8.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
            ? String(text.dropFirst().dropLast()) : text
    }

    /// Equal for requests with the same method, path and query.
    ///
    /// Except for `wait`, which changes when an answer comes and not what is done: a held push may be sent again to wait
    /// for its round; and for a dry run, which has the key of its push.
    private var target: Fingerprint {
        let builder = Fingerprint.Builder()
        builder.add(request.method.rawValue)
        for segment in request.path { builder.add(segment) }
        for (name, value) in request.query where !["wait", "dry_run", "stages"].contains(name) {
            builder.add(name)
            builder.add(value)
        }
        return builder.fingerprint
    }
}

extension RequestKey {
    /// The key, completed with the meaning of the body.
    func with(_ body: Fingerprint) -> RequestKey {
        var key = self
        key.body = body
        return key
    }
}
