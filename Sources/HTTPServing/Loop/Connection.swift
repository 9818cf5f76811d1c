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
    /// The start of the current body or answer, in nanoseconds of the monotonic clock.
    var transferStart: UInt64 = 0
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

    /// Ends both directions; libmicrohttpd notices and reports the end like that of any connection.
    func cut() {
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Whether the client has sent something that has not been read.
    var hasUnreadBytes: Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
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
