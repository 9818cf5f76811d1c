// Where to listen: parsed from text, turned into a socket. Every kind ends as one listening descriptor, so that the
// acceptor knows no difference.

import Glibc

/// An address to listen on.
public enum ListenAddress: Sendable, Equatable {
    /// A TCP port of a numeric IPv4 or IPv6 address; port 0 lets the system choose.
    case tcp(host: String, port: UInt16)
    /// A Unix socket at a path.
    case unix(path: String)
    /// A socket that already listens, handed over by whoever started the process.
    case inherited(descriptor: Int32)

    /// Parses `HOST:PORT`, `[IPV6]:PORT`, `localhost:PORT` or `unix:PATH`; nil if it is none of them.
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

    /// The host as it is in a URL: an IPv6 address in brackets.
    public var urlHost: String {
        guard case .tcp(let host, _) = self else { return "localhost" }
        return host.contains(":") ? "[\(host)]" : host
    }
}

extension ListenAddress: CustomStringConvertible {
    /// As it is written to listen there.
    public var description: String {
        switch self {
        case .tcp(_, let port): "\(urlHost):\(port)"
        case .unix(let path): "unix:\(path)"
        case .inherited(let descriptor): "descriptor \(descriptor)"
        }
    }
}
