// The socket of a server: bound first, so that an address in use stops a start before it changes anything, and
// listening only once requests can be answered.

import CMicroHTTPD
import Glibc

/// A bound socket.
public struct Listener: Sendable {
    let descriptor: Int32
    /// The TCP port, or 0 for other sockets.
    let port: Int
    /// The address, with the port that the system chose.
    public let address: ListenAddress
    /// The file of our own Unix socket, to be removed.
    private let path: String?

    /// Binds the address.
    ///
    /// Connections are refused until `listen`.
    ///
    /// - Throws: `invalidAddress`, or `cannotListen` if the address is in use.
    public init(_ address: ListenAddress) throws(HTTPServerError) {
        path = if case .unix(let path) = address { path } else { nil }
        switch address {
        case .inherited(let inherited):
            descriptor = inherited
            _ = fcntl(inherited, F_SETFL, fcntl(inherited, F_GETFL) | O_NONBLOCK)
        case .tcp(let host, let port):
            guard let socketAddress = SocketAddress(host: host, port: port) else { throw .invalidAddress(host) }
            descriptor = try Self.bound(to: socketAddress)
        case .unix(let path):
            guard let socketAddress = SocketAddress(path: path) else { throw .invalidAddress(path) }
            Self.removeAbandoned(path, socketAddress)
            descriptor = try Self.bound(to: socketAddress)
        }
        port = SocketAddress(of: descriptor)?.port ?? 0
        if case .tcp(let host, _) = address {
            self.address = .tcp(host: host, port: UInt16(truncatingIfNeeded: port))
        } else {
            self.address = address
        }
    }

    /// Lets clients connect.
    ///
    /// Accepted sockets inherit the options set here, which saves calls per connection.
    func listen() throws(HTTPServerError) {
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        http_bound_unsent(descriptor)
        guard Glibc.listen(descriptor, SOMAXCONN) == 0 else { throw .cannotListen(errno) }
    }

    /// Releases the address.
    public func close() {
        Glibc.close(descriptor)
        if let path { unlink(path) }
    }

    /// Removes the file of a Unix socket on which nothing listens: its server ended without removing it.
    private static func removeAbandoned(_ path: String, _ address: SocketAddress) {
        // Connecting to another kind of file is refused too, and that file belongs to someone.
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { Glibc.close(probe) }
        if address.withPointer({ connect(probe, $0, $1) }) != 0, errno == ECONNREFUSED { unlink(path) }
    }

    private static func bound(to address: SocketAddress) throws(HTTPServerError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.family, type, 0)
        guard descriptor >= 0 else { throw .cannotListen(errno) }
        var one: Int32 = 1
        fchmod(descriptor, S_IRUSR | S_IWUSR)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard address.withPointer({ bind(descriptor, $0, $1) }) == 0 else {
            let reason = errno
            Glibc.close(descriptor)
            throw .cannotListen(reason)
        }
        return descriptor
    }
}
