// The server as others see it: start, drain, stop, counters. Owns the acceptor, the loops and their threads.

import Glibc
import Threading

/// An HTTP server: an acceptor and its event loops around one application.
///
/// A server that has been started runs until it is drained or stopped; letting go of it does not end it.
public final class HTTPServer: Sendable {
    private let configuration: HTTPConfiguration
    private let application: any Application
    private let state = Locked(State.new)

    /// Makes a server that does not listen yet.
    public init(configuration: HTTPConfiguration, application: any Application) {
        self.configuration = configuration
        self.application = application
    }

    /// Starts every thread and listens.
    ///
    /// - `reserved`: the address, if it has been taken before; it is closed with the server, and where the start fails.
    ///
    /// In the whole process SIGPIPE is ignored from here on, and the limit of open descriptors raised as far as allowed.
    ///
    /// - Returns: the TCP port, or 0 for other sockets.
    /// - Throws: `HTTPServerError`; nothing is left running then.
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

    /// Lets the process open as many files as it may.
    ///
    /// - Returns: how many of them may be connections: the application's own files must never find none left.
    public static func connectionRoom() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let descriptors = Int(clamping: limit.rlim_max)
        return descriptors - min(descriptors / 2, 256)
    }

    /// Stops in order: no new connections and requests, parked exchanges completed, answers in flight finished.
    ///
    /// - `notify` runs once new requests are refused; it should complete the application's waiting exchanges.
    /// - What is still parked shortly before `limit` is answered 503; what is still open at `limit` is cut.
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

    /// Stops at once: parked exchanges are answered 503 as far as their sockets take it, everything else is cut.
    public func stop() {
        drain(within: .zero)
    }

    /// What the server has counted since its start, up to its stop.
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
