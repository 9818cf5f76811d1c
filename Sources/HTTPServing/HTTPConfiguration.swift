// Every setting and limit of the server in one value, with its default.
// Made by the daemon from its flags; read by the gate, the loops and the reaper.

import Glibc
import Threading

/// How a server listens and what it puts up with.
public struct HTTPConfiguration: Sendable {
    /// Where to listen.
    public var address: ListenAddress
    /// Number of event loops, one thread each; default: one per core.
    public var loopCount: Int
    /// Hosts that requests may name besides `localhost`, `127.0.0.1`, `[::1]` and the listening address; `*.example.org`
    /// matches every name with that ending.
    public var allowedHosts: [String] = []
    /// Paths that are read under any Host: supervisors ask for them by whatever address they have.
    public var openPaths: Set<String> = []
    /// The largest number of open connections; beyond it a new one is answered 503 and closed.
    public var maximumConnections = 20_000
    /// The largest number of open connections of one address; loopback, where proxies live, is exempt.
    public var maximumConnectionsPerAddress = 1_024
    /// Memory of one connection in bytes, touched whole from its second request on.
    ///
    /// Half of it is the largest piece in which a body arrives.
    public var connectionMemory = 32_768
    /// The longest request target in bytes.
    public var maximumTargetBytes = 8_192
    /// The largest sum of header names and values in bytes.
    public var maximumHeaderBytes = 16_384
    /// The largest body that is read and thrown away so that the connection may be kept, in bytes.
    public var maximumIgnoredBytes = 65_536
    /// The longest time from a connection's start, or a request's first line, to the end of the head.
    public var headDeadline: Duration = .seconds(10)
    /// The longest time that a kept connection may stay without a request.
    public var idleDeadline: Duration = .seconds(75)
    /// The least rate at which a body must arrive and an answer be taken, in bytes per second: a slow link is honest.
    public var minimumRate = 240
    /// The time over which the least rate is measured; shorter gaps do no harm.
    public var rateWindow: Duration = .seconds(30)
    /// The rate of a body or an answer, in bytes per second, below which it may be cut to make room for others.
    public var pressureRate = 1 << 20
    /// The longest time for which a body or an answer is not judged by that rate, since it has only begun.
    public var pressureGrace: Duration = .seconds(5)
    /// The longest time for which a parked exchange waits on after its client has finished sending: it may have left.
    public var halfClosedPatience: Duration = .seconds(10)
    /// The longest time for which bytes that follow an early answer are still taken, so that the client can read it.
    public var lingerDeadline: Duration = .seconds(5)
    /// Where deadlines of parked requests are kept.
    public var timers = Timers.process
    /// The most connections whose answer has been sent before their request was read, and whose rest is still taken, per
    /// loop; the oldest is closed for a new one.
    public var maximumLingering = 1_024
    /// The most connections that a loop takes over, wakes or cuts before it looks at all others again.
    public var connectionsPerTurn = 32
    /// Lends memory for what a connection holds; nil refuses.
    ///
    /// - `bytes`: how many.
    /// - `isOwed`: whether it cannot be refused any more, as the answer of a request that has changed something.
    public var lend: @Sendable (_ bytes: Int, _ isOwed: Bool) -> (any AnyObject & Sendable)? = { _, _ in Unlimited() }
    /// Turns the server's own refusals into answers.
    public var render: @Sendable (Refusal) -> Response = { $0.plainResponse }

    /// Makes a configuration whose limits are the defaults.
    public init(address: ListenAddress, loopCount: Int = HTTPConfiguration.coreCount) {
        self.address = address
        self.loopCount = loopCount
    }
}

/// A loan that no budget counts.
private final class Unlimited: Sendable {}

extension HTTPConfiguration {
    /// What the library and this server need for a connection beside its `connectionMemory`, a short answer included.
    public static let connectionOverhead = 8_192

    /// The largest number of query arguments.
    public static let maximumArguments = 256

    /// Number of cores that are online, at least 1.
    public static var coreCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Nanoseconds between two looks of the reaper: a quarter of the shortest deadline, within 10 ms and 1 s.
    var sweepInterval: UInt64 {
        let shortest = min(headDeadline, idleDeadline, rateWindow, lingerDeadline).nanoseconds
        return min(max(shortest / 4, 10_000_000), 1_000_000_000)
    }
}
