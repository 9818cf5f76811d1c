// All settings and limits of the server in one value, with defaults. The daemon makes it from its flags; the gate, the
// loops and the reaper read it.

import Glibc
import Threading

/// Where a server listens, and its limits.
public struct HTTPConfiguration: Sendable {
    /// The address to listen on.
    public var address: ListenAddress
    /// The number of event loops, one thread each; default: one per core.
    public var loopCount: Int
    /// Hosts that requests may name in addition to `localhost`, `127.0.0.1`, `[::1]` and the listening address;
    /// `*.example.org` matches every name with that suffix.
    public var allowedHosts: [String] = []
    /// Paths that can be read under any Host: supervisors ask for them by address.
    public var openPaths: Set<String> = []
    /// The largest number of open connections; further ones are answered with 503 and closed.
    public var maximumConnections = 20_000
    /// The largest number of open connections per address; loopback, where proxies run, is exempt.
    public var maximumConnectionsPerAddress = 1_024
    /// Memory of one connection in bytes, all of it touched from its second request on, except during a long wait.
    ///
    /// A body arrives in pieces of at most half of it.
    public var connectionMemory = 32_768
    /// The longest request target in bytes.
    public var maximumTargetBytes = 8_192
    /// The largest sum of header names and values in bytes.
    public var maximumHeaderBytes = 16_384
    /// The largest body, in bytes, that is read and discarded so that the connection can be kept.
    public var maximumIgnoredBytes = 65_536
    /// The longest time from a connection's start, or a request's first line, to the end of the head.
    public var headDeadline: Duration = .seconds(10)
    /// The longest time that an idle connection is kept.
    public var idleDeadline: Duration = .seconds(75)
    /// The lowest rate at which a body must arrive and an answer be received, in bytes per second; it tolerates slow
    /// links.
    public var minimumRate = 240
    /// The time over which the lowest rate is measured; shorter gaps do not matter.
    public var rateWindow: Duration = .seconds(30)
    /// The rate, in bytes per second, below which a body or an answer may be cut to make room for others.
    public var pressureRate = 1 << 20
    /// The time after the start of a body or an answer in which that rate does not apply.
    public var pressureGrace: Duration = .seconds(5)
    /// The longest time that a parked exchange waits after its client has finished sending: it has nearly always left.
    public var halfClosedPatience: Duration = .seconds(1)
    /// The time after which a parked exchange returns unused memory of its connection.
    public var longWait: Duration = .seconds(1)
    /// The longest time that bytes after an early answer are still received, so that the client can read the answer.
    public var lingerDeadline: Duration = .seconds(5)
    /// The timers for the deadlines of parked requests.
    public var timers = Timers.process
    /// The largest number per loop of connections that were answered before their request was read completely, and
    /// whose remaining bytes are still received; the oldest is closed for a new one.
    public var maximumLingering = 1_024
    /// The most connections that a loop takes over, wakes or cuts before it serves all others again.
    public var connectionsPerTurn = 32
    /// Lends memory for a connection's data; nil refuses.
    ///
    /// - `bytes`: the number of bytes.
    /// - `isOwed`: whether it cannot be refused, for example for the answer to a request that has changed something.
    public var lend: @Sendable (_ bytes: Int, _ isOwed: Bool) -> (any AnyObject & Sendable)? = { _, _ in Unlimited() }
    /// Turns the server's own refusals into answers.
    public var render: @Sendable (Refusal) -> Response = { $0.plainResponse }

    /// Makes a configuration with the default limits.
    public init(address: ListenAddress, loopCount: Int = HTTPConfiguration.coreCount) {
        self.address = address
        self.loopCount = loopCount
    }
}

/// A loan without a budget.
private final class Unlimited: Sendable {}

extension HTTPConfiguration {
    /// The memory of a connection in the library and this server in addition to `connectionMemory`, including a short
    /// answer.
    public static let connectionOverhead = 8_192

    /// Open files that are reserved for the application; half of those that the process may have, if that is less.
    public static let reservedFiles = 256

    /// Refusals whose answers are kept to be sent again.
    public static let keptRefusals = 256

    /// The largest number of query arguments.
    public static let maximumArguments = 256

    /// The number of online cores, at least 1.
    public static var coreCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Nanoseconds between two passes of the reaper: a quarter of the shortest deadline, between 10 ms and 1 s.
    var sweepInterval: UInt64 {
        let shortest = min(headDeadline, idleDeadline, rateWindow, lingerDeadline).nanoseconds
        return min(max(shortest / 4, 10_000_000), 1_000_000_000)
    }
}
