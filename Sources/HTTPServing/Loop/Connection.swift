// One client's connection as its loop sees it: what it is busy with and since when. The reaper reads this; the handler
// and the callbacks write it. Confined to one loop's thread.

import CMicroHTTPD
import Glibc

/// An open connection.
final class Connection {
    /// What a connection is busy with, which decides what it may take its time for.
    enum Stage {
        /// No request is under way; `deadline` in nanoseconds of the monotonic clock.
        case idle(deadline: UInt64)
        /// A first line has arrived, the head is not complete.
        case head(deadline: UInt64)
        /// A body arrives.
        case body(Window)
        /// The application computes, or the exchange is parked: no deadline of the connection's own.
        case held
        /// An answer is being taken by the client.
        case answer(Window?)
        /// An early answer has been sent; what still arrives is dropped.
        case lingering(deadline: UInt64)
    }

    /// A stretch of time in which a least number of bytes must move.
    struct Window {
        var start: UInt64
        var bytes: Int
    }

    let descriptor: Int32
    let remote: Remote
    var stage: Stage
    /// When the body that arrives, or the answer that leaves, began, in nanoseconds of the monotonic clock.
    var transferStart: UInt64 = 0
    /// The answer that leaves: its size, and how fast it went when the loop looked last, in bytes per second.
    var answer: (bytes: Int, rate: Double?) = (0, nil)
    /// Its memory, where it is one of so many that they count.
    var loan: (any AnyObject & Sendable)?
    /// Whether the client sends nothing more: it has closed its side, or left.
    var hasFinishedSending = false
    var transaction: Transaction?
    var seat: Seat?
    /// The answer that leaves, where it is made meanwhile.
    weak var stream: StreamReader?

    /// Whether its answer has been sent and its request is still being read.
    var isLingering: Bool { if case .lingering = stage { true } else { false } }

    /// Whether a body arrives that is counted with that payer.
    func isPaid(by payer: String) -> Bool { transaction?.receiver?.payers.contains(payer) ?? false }

    init(descriptor: Int32, remote: Remote, stage: Stage) {
        self.descriptor = descriptor
        self.remote = remote
        self.stage = stage
    }

    /// Ends both directions; libmicrohttpd notices, and reports the end as that of any connection.
    func cut() {
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Whether something that the client sent has not been read yet.
    var hasUnreadBytes: Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
    }

    /// Throws away what has arrived, at most 1 MiB: closing a socket with unread bytes destroys the answer on its way.
    func discardUnread() { http_discard(descriptor) }

    /// Bytes of ours that the peer has acknowledged; nil where the kernel does not tell.
    var acknowledgedBytes: Int? {
        let count = http_acknowledged_bytes(descriptor)
        return count < 0 ? nil : Int(count)
    }
}

/// A parked exchange and the suspended connection that it belongs to.
final class Seat {
    let exchange: Exchange
    let connection: Connection
    let transaction: Transaction

    init(exchange: Exchange, connection: Connection, transaction: Transaction) {
        self.exchange = exchange
        self.connection = connection
        self.transaction = transaction
    }
}
