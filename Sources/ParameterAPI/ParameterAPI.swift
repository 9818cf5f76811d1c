// The application behind the HTTP server: finds the route, calls the endpoint, and turns errors into problems. Knows
// neither sockets nor files.

import HTTPServing
import ParameterServing
import Threading

/// The HTTP API of paramd.
public final class ParameterAPI: Application {
    /// The models.
    public let registry: ModelRegistry
    /// The version reported by `/version`.
    let version: String
    /// The settings reported by `/v1/server`.
    let configuration: EffectiveConfiguration
    let router = Router(routes: Route.all)
    let checksums = ChecksumCache()
    /// The streams of events.
    let streams = StreamCount()
    private let source = Locked(CounterSource())

    /// Makes the API of a registry.
    ///
    /// - Parameters:
    ///   - registry: the models to serve.
    ///   - version: the daemon's version.
    ///   - configuration: the effective configuration.
    public init(
        registry: ModelRegistry, version: String, configuration: EffectiveConfiguration = EffectiveConfiguration()
    ) {
        self.registry = registry
        self.version = version
        self.configuration = configuration
    }

    /// Sets the source of the server's counters for `/v1/server`.
    public func tell(_ counters: @escaping @Sendable () -> HTTPCounters) { source.withLock { $0.read = counters } }

    /// The server's counters.
    var counters: HTTPCounters { source.withLock { $0.read }?() ?? HTTPCounters() }

    /// Decides from the head how to handle a request.
    public func route(_ request: Request) -> Plan {
        do {
            if request.method == .options { return try options(request) }
            let found = try router.find(request)
            let call = Call(request, found.route, arguments: found.arguments, suffix: found.suffix, api: self)
            try call.checkQueries()
            let plan = try call.plan()
            if case .read = plan { try checkContentCoding(request) }
            return plan
        } catch {
            let response = error.response(for: request)
            // If a body is announced and not read, the connection must close; without a body it can be kept.
            return request.announcesBody ? .refuse(response) : .answer { exchange in exchange.complete { response } }
        }
    }

    /// The probes can be read under any Host, because supervisors use whatever address they have.
    public static let openPaths: Set<String> = ["/livez", "/healthz", "/readyz", "/version"]

    /// Turns the HTTP layer's refusals into problems.
    public static func render(_ refusal: Refusal) -> Response { Problem(refusal).response(for: nil) }

    private func options(_ request: Request) throws(Problem) -> Plan {
        var allow = ["OPTIONS"]
        do {
            if request.target == "*" { return options(allowing: router.methods) }
            _ = try router.find(request)
        } catch {
            guard error.kind == .methodNotAllowed else { throw error }
            allow = error.allow
        }
        return options(allowing: allow)
    }

    private func options(allowing methods: [String]) -> Plan {
        let response = Response(status: 204, headers: [("Allow", methods.joined(separator: ", "))])
        return .answer { exchange in exchange.complete { response } }
    }

    private func checkContentCoding(_ request: Request) throws(Problem) {
        guard let coding = request.headers["Content-Encoding"], coding.lowercased() != "identity" else { return }
        throw Problem(
            .unsupportedMediaType,
            "The content coding `\(coding.prefix(40))` is not supported; send the body without Content-Encoding.")
    }
}

/// The source of the server's counters.
private struct CounterSource {
    var read: (@Sendable () -> HTTPCounters)?
}
