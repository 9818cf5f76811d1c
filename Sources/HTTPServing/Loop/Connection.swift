// One client's connection as seen by its loop: its current phase and when that began. The reaper reads this; the
// handler and the callbacks write it. Confined to one loop's thread.

import CMicroHTTPD
import Glibc

/// An open connection.
final class Connection {
    /// The phase of a connection, which determines its deadline.
    enum Stage {
        /// No request is in progress; `deadline` in nanoseconds of the monotonic clock.
        case idle(deadline: UInt64)
        /// A first line has arrived, but the head is not complete.
        case head(deadline: UInt64)
        /// A body is arriving.
        case body(Window)
        /// The application is computing, or the exchange is parked: the connection itself has no deadline.
        case held
        /// The client is receiving an answer.
        case answer(Window?)
        /// An early answer has been sent; further bytes are discarded.
        case lingering(deadline: UInt64)
    }

    /// A period in which a minimum number of bytes must be transferred.
    struct Window {
        var start: UInt64
        var bytes: Int
    }

    let descriptor: Int32
    let remote: Remote
    var stage: Stage
    /// The start of the current body in nanoseconds of the monotonic clock, moved forward by the time in which the
    /// server was behind; and the last check for such a time, which is not before that start.
    private(set) var (bodyStart, bodyCheck): (UInt64, UInt64) = (0, 0)
    /// The current answer: its size, and its rate at the last check, in bytes per second.
    var answer: (bytes: Int, rate: Double?) = (0, nil)
    /// Its counted memory; nil for one of the first connections, which are free.
    var loan: (any AnyObject & Sendable)?
    /// Whether the library has cleared, and so touched, all of its memory, as it does after each request.
    var hasClearedMemory = false
    /// Whether the client sends nothing more: it has closed its side, or left.
    var hasFinishedSending = false
    var transaction: Transaction?
    var seat: Seat?
    /// The current answer, if it is produced while it is sent.
    weak var stream: StreamReader?

    /// Whether its answer has been sent and its request is still being read.
    var isLingering: Bool { if case .lingering = stage { true } else { false } }

    /// Whether it is receiving a body that is counted for this payer.
    func isPaid(by payer: String) -> Bool { transaction?.receiver?.payers.contains(payer) ?? false }

    init(descriptor: Int32, remote: Remote, stage: Stage) {
        self.descriptor = descriptor
        self.remote = remote
        self.stage = stage
    }

    /// Starts the clock of a body.
    func beginBody(at now: UInt64) { (bodyStart, bodyCheck) = (now, now) }

    /// Leaves the time of a rest, which has just ended, out of the rate of the body.
    func excuseRest(of nanoseconds: UInt64) {
        bodyStart += nanoseconds
        bodyCheck += nanoseconds
    }

    /// Leaves the time since the last check out of the rate of the body if the server is behind: more bytes wait than
    /// the `piece` that one call takes.
    func checkBody(piece: Int, at now: UInt64) {
        if unreadBytes > piece { bodyStart += now - bodyCheck }
        bodyCheck = now
    }

    /// Ends both directions; libmicrohttpd notices and reports the end like that of any connection.
    func cut() {
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// The number of received bytes that have not been read.
    var unreadBytes: Int {
        var count: Int32 = 0
        return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    /// Discards up to 1 MiB of received bytes: closing a socket with unread bytes destroys the answer on its way.
    func discardUnread() { http_discard(descriptor) }

    /// Sent bytes that the peer has acknowledged; nil if the kernel does not say.
    var acknowledgedBytes: Int? {
        let count = http_acknowledged_bytes(descriptor)
        return count < 0 ? nil : Int(count)
    }
}

/// A parked exchange and its suspended connection.
final class Seat {
    let exchange: Exchange
    let connection: Connection
    let transaction: Transaction
    /// When the exchange was parked, in nanoseconds of the monotonic clock.
    let start: UInt64

    init(exchange: Exchange, connection: Connection, transaction: Transaction, start: UInt64) {
        self.exchange = exchange
        self.connection = connection
        self.transaction = transaction
        self.start = start
    }
}
