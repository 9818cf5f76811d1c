// The other end of a connection. Made by the acceptor; its name goes into requests, its socket address to the library.

import Glibc

/// A peer.
struct Remote: Sendable {
    /// The address in numeric form without a port; `local` for a Unix socket.
    let name: String
    /// Whether the peer is on this machine.
    let isLocal: Bool
    let address: SocketAddress

    init(_ address: SocketAddress) {
        self.address = address
        name = address.name ?? "local"
        isLocal = address.isLoopback
    }
}
