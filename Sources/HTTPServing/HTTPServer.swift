// The public interface of the server: start, drain, stop, counters. Owns the acceptor, the loops and their threads.

import Glibc
import Threading

/// An HTTP server: an acceptor and its event loops around one application.
///
/// A started server runs until it is drained or stopped; releasing the object does not end it.
public final class HTTPServer: Sendable {
    private let configuration: HTTPConfiguration
    private let application: any Application
    private let state = Locked(State.new)

    /// Makes a server that does not listen yet.
    public init(configuration: HTTPConfiguration, application: any Application) {
        self.configuration = configuration
        self.application = application
    }

    /// Starts all threads and listens.
    ///
    /// - `reserved`: the address if it was bound before; it is closed with the server, and if the start fails.
    ///
    /// From here on the whole process ignores SIGPIPE, and its limit of open descriptors is raised as far as allowed.
    ///
    /// - Returns: the TCP port, or 0 for other sockets.
    /// - Throws: `HTTPServerError`; nothing keeps running then.
    @discardableResult
    public func start(on reserved: Listener? = nil) throws(HTTPServerError) -> Int {
        guard case .new = state.withLock({ $0 }) else { throw .alreadyStarted }
        signal(SIGPIPE, SIG_IGN)
        var configuration = configuration
        configuration.maximumConnections = min(configuration.maximumConnections, Self.connectionRoom())
        let listener = if let reserved { reserved } else { try Listener(configuration.address) }
        do throws(HTTPServerError) {
            try listener.listen()
            let running = try RunningServer(configuration, application, listener)
            state.withLock { $0 = .running(running) }
        } catch {
            listener.close()
            throw error
        }
        return listener.port
    }

    /// Raises the process's limit of open files.
    ///
    /// - Returns: how many may be connections: the application's own files must always find descriptors.
    public static func connectionRoom() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let descriptors = Int(clamping: limit.rlim_max)
        return descriptors - min(descriptors / 2, HTTPConfiguration.reservedFiles)
    }

    /// Stops gracefully: refuses new connections and requests, completes parked exchanges, finishes answers in
    /// progress.
    ///
    /// - `notify` runs once new requests are refused; it should complete the application's waiting exchanges.
    /// - Exchanges still parked shortly before `limit` are answered with 503; connections still open at `limit` are
    ///   cut.
    public func drain(within limit: Duration, notify: () -> Void = {}) {
        guard let running = takeRunning() else { return }
        let end = Clock.now + limit.nanoseconds
        running.quiesce()
        notify()
        running.waitForClients(until: end - limit.nanoseconds / 4)
        running.dismiss()
        running.waitForClients(until: end)
        running.stop()
        state.withLock { $0 = .stopped(running.counters) }
    }

    /// Stops immediately: answers parked exchanges with 503 as far as their sockets accept it, and cuts everything
    /// else.
    public func stop() {
        drain(within: .zero)
    }

    /// The counters from the server's start to its stop.
    public var counters: HTTPCounters {
        switch state.withLock({ $0 }) {
        case .new: HTTPCounters()
        case .running(let running), .draining(let running): running.counters
        case .stopped(let counters): counters
        }
    }

    private func takeRunning() -> RunningServer? {
        state.withLock { state in
            guard case .running(let running) = state else { return nil }
            state = .draining(running)
            return running
        }
    }

    private enum State {
        case new
        case running(RunningServer)
        case draining(RunningServer)
        case stopped(HTTPCounters)
    }
}
