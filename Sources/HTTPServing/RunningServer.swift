// The threads of a started server and the steps to end them, in the order that `HTTPServer.drain` takes.

import Glibc
import Threading

/// The acceptor and the loops while they run.
struct RunningServer: Sendable {
    private let acceptor: Acceptor
    private let loops: [EventLoop]
    private let census: ConnectionCensus
    private let acceptorThread: Thread
    private let loopThreads: [Thread]

    init(
        _ configuration: HTTPConfiguration, _ application: any Application, _ listener: Listener
    ) throws(HTTPServerError) {
        var configuration = configuration
        configuration.render = RefusalCache(configuration.render).response
        let hosts = HostRule(
            listening: configuration.address.urlHost, configured: configuration.allowedHosts,
            allowsAddresses: !configuration.address.isLoopback)
        let gate = Gate(configuration: configuration, hosts: hosts)
        let census = ConnectionCensus(
            limit: configuration.maximumConnections, limitPerAddress: configuration.maximumConnectionsPerAddress)
        let slowTransfers = SlowTransfers()
        var loops: [EventLoop] = []
        for _ in 0..<max(1, configuration.loopCount) {
            loops.append(
                try EventLoop(
                    configuration: configuration, application: application, gate: gate, census: census,
                    slowTransfers: slowTransfers))
        }
        let acceptor = try Acceptor(
            listener: listener, loops: loops, census: census, slowTransfers: slowTransfers,
            refusal: configuration.render(.tooManyConnections))
        self.loops = loops
        self.census = census
        self.acceptor = acceptor
        loopThreads = loops.compactMap { loop in Thread { loop.run() } }
        let isComplete = loopThreads.count == loops.count && configuration.timers.start()
        let thread = isComplete ? Thread { acceptor.run() } : nil
        guard let thread else {
            Self.stop(loops, loopThreads)
            throw .loopUnavailable(EAGAIN)
        }
        acceptorThread = thread
    }

    var counters: HTTPCounters { loops.map(\.latestCounters).reduce(HTTPCounters(), +) }

    /// Closes the listening socket and refuses new requests; returns when every loop does.
    func quiesce() {
        acceptor.stop()
        acceptorThread.join()
        let answers = loops.map { loop in
            let isDraining = Future<Void>()
            loop.post(.drain { isDraining.fulfil(()) })
            return isDraining
        }
        for isDraining in answers { isDraining.wait() }
    }

    /// Answers all parked exchanges.
    func dismiss() {
        for loop in loops { loop.post(.dismiss) }
    }

    /// Ends the loops and closes their connections.
    func stop() {
        Self.stop(loops, loopThreads)
    }

    private static func stop(_ loops: [EventLoop], _ threads: [Thread]) {
        for loop in loops { loop.post(.stop) }
        for thread in threads { thread.join() }
    }

    /// Waits until the last connection is closed, or the monotonic clock reaches `end`.
    func waitForClients(until end: UInt64) { census.waitUntilEmpty(until: end) }
}
