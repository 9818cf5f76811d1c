// A socket address in the kernel's form. Used by the listener and, only for parsing, by `ListenAddress`.

import CMicroHTTPD
import Glibc

/// An IPv4, IPv6 or Unix address.
struct SocketAddress: Sendable {
    private var storage = sockaddr_storage()
    private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

    /// A numeric IPv4 or IPv6 address; nil if `host` is not one.
    init?(host: String, port: UInt16) {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let first = found else { return nil }
        defer { freeaddrinfo(found) }
        length = first.pointee.ai_addrlen
        memcpy(&storage, first.pointee.ai_addr, Int(length))
    }

    /// The address of a Unix socket; nil if the path is empty or too long.
    init?(path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        length = socklen_t(MemoryLayout<sockaddr_un>.size)
        memcpy(&storage, &address, Int(length))
    }

    /// An address filled in by the kernel.
    init(_ storage: sockaddr_storage, length: socklen_t) {
        self.storage = storage
        self.length = length
    }

    /// The address that a socket is bound to.
    init?(of descriptor: Int32) {
        var address = storage
        var size = length
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        guard result == 0 else { return nil }
        storage = address
        length = size
    }

    /// `AF_INET`, `AF_INET6` or `AF_UNIX`.
    var family: Int32 { Int32(storage.ss_family) }

    /// The TCP port; nil for other sockets.
    var port: Int? {
        var copy = storage
        return withUnsafeBytes(of: &copy) { bytes in
            switch family {
            case AF_INET: Int(UInt16(bigEndian: bytes.load(as: sockaddr_in.self).sin_port))
            case AF_INET6: Int(UInt16(bigEndian: bytes.load(as: sockaddr_in6.self).sin6_port))
            default: nil
            }
        }
    }

    /// The host in numeric form, with an IPv4 address received over IPv6 as IPv4; nil for other sockets.
    var name: String? {
        guard port != nil else { return nil }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let result = withPointer { getnameinfo($0, $1, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) }
        guard result == 0, let name = text.withUnsafeBufferPointer({ $0.baseAddress.map(String.init(cString:)) }) else {
            return nil
        }
        let prefix = "::ffff:"
        return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
    }

    /// Whether only programs on this machine can have or reach this address.
    var isLoopback: Bool {
        guard port != nil else { return family == AF_UNIX }
        return name == "::1" || name?.hasPrefix("127.") == true
    }

    /// Calls `body` with the address in the form of the socket functions.
    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
