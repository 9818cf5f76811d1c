// One network thread: an epoll set with libmicrohttpd's own epoll descriptor, an eventfd, and the sockets of all
// connections, watched only for the end of their peers. libmicrohttpd is only called on this thread, and only with a
// zero timeout: if it waits by itself, it freezes when exactly 128 of its connections are ready at once, and it reports
// neither deadlines nor departures of suspended connections. The acceptor feeds the loop, exchanges wake it.

import CMicroHTTPD
import Glibc
import Threading

/// An event loop on its own thread.
final class EventLoop: ExchangeLoop, @unchecked Sendable {
    /// Messages from other threads.
    enum Message {
        /// Take over a connection.
        case accepted(Accepted)
        /// Take over a connection beyond the limit in place of the slowest transfer, or refuse it.
        case contested(Accepted)
        /// Cut the slowest transfers, or those of one payer, until this many bytes are free.
        case relieve(bytes: Int, payer: String?)
        /// A parked exchange is settled.
        case settled(Exchange)
        /// A watched one is: it waited for an event, which may have woken thousands.
        case woken(Exchange)
        /// The deadline or the watching of a parked exchange has changed.
        case changed(Exchange)
        /// More of an answer that is produced while it is sent can be read.
        case readable(StreamReader)
        /// Refuse new requests; close idle connections; then call.
        case drain(@Sendable () -> Void)
        /// Answer all parked exchanges, now and from now on, with 503.
        case dismiss
        /// Close everything and end the thread.
        case stop

        /// How urgent the message is.
        enum Line {
            /// It concerns the loop, and is handled at once.
            case none
            /// It concerns a client that is already being served.
            case served
            /// It concerns one of many clients that waited for the same event.
            case waits
            /// It concerns new connections, of which there may be a flood.
            case arrivals
        }

        var line: Line {
            switch self {
            case .drain, .dismiss, .stop, .relieve: .none
            case .settled, .changed, .readable: .served
            case .woken: .waits
            case .accepted, .contested: .arrivals
            }
        }
    }

    let configuration: HTTPConfiguration
    let application: any Application
    let census: ConnectionCensus
    let slowTransfers: SlowTransfers
    let gate: Gate
    let poller: Poller
    var daemon: OpaquePointer?
    var connections: [Int32: Connection] = [:]
    var seats: [ObjectIdentifier: Seat] = [:]
    /// Answers that wait for more of their content.
    var starving: [ObjectIdentifier: StreamReader] = [:]
    /// Connections whose clients send nothing more, to be released when nothing is left to do for them.
    var finished: [Connection] = []
    /// Lingering connections, oldest first; the queue may also contain others that no longer linger.
    var lingering = Fifo<Connection>()
    /// The number of lingering connections.
    var lingeringCount = 0
    var counters = HTTPCounters()
    var jobs = JobClock()
    var now = Clock.now
    var nextSweep: UInt64 = 0
    var isDraining = false
    var isDismissing = false
    var isStopping = false
    private let inbox = Locked([Message]())
    /// Messages about parked exchanges that have not been handled yet.
    private var served = Fifo<Message>()
    /// Wake-ups that have not been handled yet, in a separate queue, so that the push that causes thousands is answered
    /// before them.
    private var waits = Fifo<Message>()
    /// Connections that have not been taken over yet, in a separate queue, so that no push waits behind a flood of
    /// them.
    private var arrivals = Fifo<Message>()
    private let published = Locked(HTTPCounters())

    init(
        configuration: HTTPConfiguration, application: any Application, gate: Gate, census: ConnectionCensus,
        slowTransfers: SlowTransfers
    ) throws(HTTPServerError) {
        self.configuration = configuration
        self.application = application
        self.gate = gate
        self.census = census
        self.slowTransfers = slowTransfers
        poller = try Poller()
        daemon = startDaemon()
        let descriptor = http_daemon_descriptor(daemon)
        guard daemon != nil, descriptor >= 0, poller.add(descriptor, events: EPOLLIN.rawValue) else {
            throw .loopUnavailable(errno)
        }
    }

    deinit {
        if let daemon { MHD_stop_daemon(daemon) }
    }

    var timers: Timers { configuration.timers }

    /// The loop's counters, as of its last turn.
    var latestCounters: HTTPCounters { published.withLock { $0 } }

    func post(_ message: Message) {
        let isFirst = inbox.withLock { messages in
            messages.append(message)
            return messages.count == 1
        }
        if isFirst { poller.wake() }
    }

    /// Runs until a stop is requested and nothing is parked.
    func run() {
        http_name_thread("network")
        watchFailures()
        while !isStopping || !seats.isEmpty || !starving.isEmpty {
            turn()
        }
        takeMessages()
        while let message = arrivals.popFirst() {
            if case .accepted(let accepted) = message { discard(accepted) }
            if case .contested(let accepted) = message { refuse(accepted) }
        }
        slowTransfers.report(nil, of: self)
        if let daemon { MHD_stop_daemon(daemon) }
        daemon = nil
        publish()
    }

    private func turn() {
        let endings = poller.wait(milliseconds: patience)
        now = Clock.now
        jobs.start()
        for ending in endings { ended(ending) }
        if now >= nextSweep { sweep() }
        takeMessages()
        for _ in 0..<configuration.connectionsPerTurn {
            if isIdle { break }
            if let message = served.popFirst() { receive(message) }
            if let message = waits.popFirst() { receive(message) }
            if let message = arrivals.popFirst() { receive(message) }
        }
        if isStopping { for reader in starving.values { reader.cut() } }
        MHD_run(daemon)
        releaseFinished()
        jobs.note()
        publish()
    }

    /// Whether all messages have been handled.
    private var isIdle: Bool { served.isEmpty && waits.isEmpty && arrivals.isEmpty }

    /// How long the loop may sleep, in milliseconds: until the next task of the library or the reaper.
    private var patience: Int32 {
        if !isIdle { return 0 }
        var wish: UInt64 = 0
        var wake = nextSweep
        if MHD_get_timeout(daemon, &wish) == .YES {
            if wish == 0 { return 0 }
            wake = min(wake, now + wish * 1_000_000)
        }
        let time = Clock.now
        return wake <= time ? 0 : Int32(clamping: (wake - time + 999_999) / 1_000_000)
    }

    /// Handles what concerns the loop, and queues the rest: if thousands of connections arrive or wake at once, each
    /// turn handles a part and serves all others.
    private func takeMessages() {
        let messages = inbox.withLock { messages in
            defer { messages = [] }
            return messages
        }
        for message in messages {
            switch message.line {
            case .none: receive(message)
            case .served: served.append(message)
            case .waits: waits.append(message)
            case .arrivals: arrivals.append(message)
            }
        }
    }

    private func receive(_ message: Message) {
        defer { jobs.note() }
        switch message {
        case .accepted(let accepted): take(accepted)
        case .contested(let accepted): contest(accepted)
        case .relieve(let bytes, let payer): relieve(bytes, of: payer)
        case .settled(let exchange), .woken(let exchange):
            if let seat = seats[ObjectIdentifier(exchange)] { resume(seat) }
        case .changed(let exchange): if let seat = seats[ObjectIdentifier(exchange)] { refresh(seat) }
        case .readable(let reader): reader.resume()
        case .drain(let then):
            drain()
            then()
        case .dismiss: dismiss()
        case .stop:
            isStopping = true
            drain()
            dismiss()
        }
    }

    private func publish() {
        counters.connections = connections.count
        counters.parked = seats.count
        counters.longestJob = jobs.longest
        let snapshot = counters
        published.withLock { $0 = snapshot }
    }
}
