// The peer of a connection. Made by the acceptor; requests contain its name, the library gets its socket address.

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
