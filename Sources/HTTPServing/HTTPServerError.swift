// Why a server could not start. The daemon reports it with an exit code.

import Glibc

/// A server that could not start.
public enum HTTPServerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The address is not a valid one to listen on.
    case invalidAddress(String)
    /// The system refused to listen; the value is `errno`.
    case cannotListen(Int32)
    /// The system refused a resource of an event loop; the value is `errno`.
    case loopUnavailable(Int32)
    /// The server was already started.
    case alreadyStarted

    /// One sentence for the log.
    public var description: String {
        switch self {
        case .invalidAddress(let text): "'\(text)' is not an address to listen on"
        case .cannotListen(let code): "cannot listen: \(String(cString: strerror(code)))"
        case .loopUnavailable(let code): "cannot start an event loop: \(String(cString: strerror(code)))"
        case .alreadyStarted: "the server was already started"
        }
    }
}
