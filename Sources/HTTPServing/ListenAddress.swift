// An address to listen on: parsed from text and turned into a socket. Every kind becomes a listening descriptor, so the
// acceptor handles all in the same way.

import Glibc

/// An address to listen on.
public enum ListenAddress: Sendable, Equatable {
    /// A TCP port of a numeric IPv4 or IPv6 address; with port 0 the system chooses.
    case tcp(host: String, port: UInt16)
    /// A Unix socket at a path.
    case unix(path: String)
    /// A listening socket passed by the parent process.
    case inherited(descriptor: Int32)

    /// Parses `HOST:PORT`, `[IPV6]:PORT`, `localhost:PORT` or `unix:PATH`; nil if it has none of these forms.
    public init?(_ text: String) {
        if text.hasPrefix("unix:") {
            self = .unix(path: String(text.dropFirst("unix:".count)))
            return
        }
        guard let colon = text.lastIndex(of: ":"), let number = Int(digits: text[text.index(after: colon)...]),
            let port = UInt16(exactly: number)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        if host == "localhost" { host = "127.0.0.1" }
        guard SocketAddress(host: host, port: port) != nil else { return nil }
        self = .tcp(host: host, port: port)
    }

    /// Whether only programs on this machine can reach the address.
    public var isLoopback: Bool {
        switch self {
        case .tcp(let host, let port): SocketAddress(host: host, port: port)?.isLoopback == true
        case .unix: true
        case .inherited(let descriptor): SocketAddress(of: descriptor)?.isLoopback == true
        }
    }

    /// The host in a URL: an IPv6 address in brackets.
    public var urlHost: String {
        guard case .tcp(let host, _) = self else { return "localhost" }
        return host.contains(":") ? "[\(host)]" : host
    }
}

extension ListenAddress: CustomStringConvertible {
    /// The text that `init` parses; for an inherited socket, its descriptor.
    public var description: String {
        switch self {
        case .tcp(_, let port): "\(urlHost):\(port)"
        case .unix(let path): "unix:\(path)"
        case .inherited(let descriptor): "descriptor \(descriptor)"
        }
    }
}
