// The accept loop: one thread that accepts connections and assigns them to the event loops in turn, so that a few
// long-lived workers are spread evenly (the kernel's hashing does not ensure that).

import CMicroHTTPD
import Glibc

/// A connection passed from the acceptor to a loop.
struct Accepted: Sendable {
    let descriptor: Int32
    let remote: Remote
}

/// The thread that accepts.
final class Acceptor: Sendable {
    private let listener: Listener
    private let loops: [EventLoop]
    private let census: ConnectionCensus
    private let slowTransfers: SlowTransfers
    private let refusal: Response
    private let bell: Int32

    init(
        listener: Listener, loops: [EventLoop], census: ConnectionCensus, slowTransfers: SlowTransfers,
        refusal: Response
    ) throws(HTTPServerError) {
        self.listener = listener
        self.loops = loops
        self.census = census
        self.slowTransfers = slowTransfers
        self.refusal = refusal
        bell = eventfd(0, Int32(EFD_CLOEXEC))
        guard bell >= 0 else { throw .loopUnavailable(errno) }
    }

    deinit { close(bell) }

    /// Ends `run`; any thread may call it.
    func stop() {
        var one: UInt64 = 1
        write(bell, &one, MemoryLayout<UInt64>.size)
    }

    /// Accepts until told to stop, then closes the listening socket.
    func run() {
        var turn = 0
        while waitForConnections() {
            while let accepted = next() {
                loops[turn % loops.count].post(.accepted(accepted))
                turn &+= 1
            }
        }
        listener.close()
    }

    /// Waits for a connection; false when told to stop.
    private func waitForConnections() -> Bool {
        var descriptors = [
            pollfd(fd: bell, events: Int16(POLLIN), revents: 0),
            pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        poll(&descriptors, nfds_t(descriptors.count), -1)
        return descriptors[0].revents == 0
    }

    /// The next connection within the limits; nil if none is waiting.
    private func next() -> Accepted? {
        while true {
            var address = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let descriptor = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { [listener] in
                    http_accept(listener.descriptor, $0, &length)
                }
            }
            guard descriptor >= 0 else {
                pauseIfExhausted(errno)
                return nil
            }
            let accepted = Accepted(descriptor: descriptor, remote: Remote(SocketAddress(address, length: length)))
            if census.enter(accepted.remote) { return accepted }
            turnAway(accepted)
        }
    }

    /// Refuses the connection, or passes it to the loop with the slowest transfer, which is cut to make room.
    private func turnAway(_ accepted: Accepted) {
        if census.isFull, let loop = slowTransfers.loop { return loop.post(.contested(accepted)) }
        EarlyAnswer(refusal).send(to: accepted.descriptor)
        close(accepted.descriptor)
    }

    /// Without descriptors or memory the socket stays readable: wait a little instead of spinning.
    private func pauseIfExhausted(_ reason: Int32) {
        if reason == EMFILE || reason == ENFILE || reason == ENOMEM || reason == ENOBUFS { usleep(20_000) }
    }
}
