// The other end of a connection. Made by the acceptor; its name goes into requests, its socket address to the library.

import Glibc

/// A peer's address.
struct Remote: Sendable {
    /// The address in numeric form without a port; `local` for a Unix socket.
    let name: String
    /// Whether the peer is on this machine.
    let isLocal: Bool
    private let storage: sockaddr_storage
    private let length: socklen_t

    init(_ storage: sockaddr_storage, length: socklen_t) {
        self.storage = storage
        self.length = length
        var address = storage
        let name = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Self.name(of: $0, length: length) }
        }
        self.name = name ?? "local"
        isLocal = name == nil || name == "::1" || name?.hasPrefix("127.") == true
    }

    /// The numeric name of an IPv4 or IPv6 address; an IPv4 one that came over an IPv6 socket is named as IPv4.
    private static func name(of address: UnsafePointer<sockaddr>, length: socklen_t) -> String? {
        let family = Int32(address.pointee.sa_family)
        guard family == AF_INET || family == AF_INET6 else { return nil }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return nil
        }
        let name = text.withUnsafeBufferPointer { $0.baseAddress.map(String.init(cString:)) }
        let prefix = "::ffff:"
        return name?.hasPrefix(prefix) == true ? name.map { String($0.dropFirst(prefix.count)) } : name
    }

    /// Calls `body` with the address as the socket functions know it.
    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
