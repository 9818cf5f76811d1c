// One network thread: an epoll set that holds libmicrohttpd's own epoll descriptor, an eventfd and the sockets of
// watched exchanges. libmicrohttpd is only ever called on this thread, and only ever with a zero timeout: left to wait
// by itself it freezes when exactly 128 of its connections are ready at once, and it reports neither deadlines nor
// departures of suspended connections. Fed by the acceptor, woken by exchanges.

import CMicroHTTPD
import Glibc
import Threading

/// An event loop on a thread of its own.
final class EventLoop: ExchangeLoop, @unchecked Sendable {
    /// What other threads tell the loop.
    enum Message {
        /// Take over a connection.
        case accepted(Accepted)
        /// A parked exchange has its outcome.
        case settled(Exchange)
        /// A parked exchange wants another deadline, or to be watched.
        case changed(Exchange)
        /// Refuse new requests; close idle connections.
        case drain
        /// Answer what is parked, now and from now on, with 503.
        case dismiss
        /// Close everything and end the thread.
        case stop
    }

    let configuration: HTTPConfiguration
    let application: any Application
    let census: ConnectionCensus
    let gate: Gate
    let poller: Poller
    var daemon: OpaquePointer?
    var connections: [Int32: Connection] = [:]
    var seats: [ObjectIdentifier: Seat] = [:]
    var deadlines = DeadlineHeap<Seat>()
    var counters = HTTPCounters()
    var now = Clock.now
    var nextSweep: UInt64 = 0
    var isDraining = false
    var isDismissing = false
    var isStopping = false
    private let inbox = Locked([Message]())
    private let published = Locked((counters: HTTPCounters(), isDraining: false))

    init(
        configuration: HTTPConfiguration, application: any Application, gate: Gate, census: ConnectionCensus
    ) throws(HTTPServerError) {
        self.configuration = configuration
        self.application = application
        self.gate = gate
        self.census = census
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

    /// What the loop has counted, as of its last turn.
    var latestCounters: HTTPCounters { published.withLock { $0.counters } }

    /// Whether the loop refuses new requests by now.
    var refusesRequests: Bool { published.withLock { $0.isDraining } }

    func post(_ message: Message) {
        let isFirst = inbox.withLock { messages in
            messages.append(message)
            return messages.count == 1
        }
        if isFirst { poller.wake() }
    }

    /// Runs until it is told to stop and nothing is parked.
    func run() {
        while !isStopping || !seats.isEmpty {
            turn()
        }
        for message in takeMessages() {
            if case .accepted(let accepted) = message { discard(accepted) }
        }
        if let daemon { MHD_stop_daemon(daemon) }
        daemon = nil
        publish()
    }

    private func turn() {
        let gone = poller.wait(milliseconds: patience)
        now = Clock.now
        for descriptor in gone { departed(descriptor) }
        expireDeadlines()
        if now >= nextSweep { sweep() }
        for message in takeMessages() { receive(message) }
        MHD_run(daemon)
        publish()
    }

    /// How long the loop may sleep, in milliseconds: to the earliest of the library's, the exchanges' and the reaper's
    /// next business.
    private var patience: Int32 {
        var wish: UInt64 = 0
        var wake = nextSweep
        if MHD_get_timeout(daemon, &wish) == .YES {
            if wish == 0 { return 0 }
            wake = min(wake, now + wish * 1_000_000)
        }
        if let first = deadlines.first { wake = min(wake, first.deadline) }
        let time = Clock.now
        return wake <= time ? 0 : Int32(clamping: (wake - time + 999_999) / 1_000_000)
    }

    private func takeMessages() -> [Message] {
        inbox.withLock { messages in
            defer { messages = [] }
            return messages
        }
    }

    private func receive(_ message: Message) {
        switch message {
        case .accepted(let accepted): take(accepted)
        case .settled(let exchange): if let seat = seats[ObjectIdentifier(exchange)] { resume(seat) }
        case .changed(let exchange): if let seat = seats[ObjectIdentifier(exchange)] { refresh(seat) }
        case .drain: drain()
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
        let snapshot = (counters: counters, isDraining: isDraining)
        published.withLock { $0 = snapshot }
    }
}
