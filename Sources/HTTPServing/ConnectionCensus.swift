// The number of open connections, in total and per address. The acceptor asks before it accepts one; loops report the
// end.

import Threading

/// The count of open connections against its limits.
final class ConnectionCensus: Sendable {
    private let limit: Int
    private let limitPerAddress: Int
    private let state = Locked(Counts())
    private let emptied = Condition()

    private struct Counts {
        var total = 0
        var byAddress: [String: Int] = [:]
    }

    init(limit: Int, limitPerAddress: Int) {
        self.limit = limit
        self.limitPerAddress = limitPerAddress
    }

    /// Counts a new connection; false, without counting it, if a limit is reached.
    func enter(_ remote: Remote) -> Bool {
        state.withLock { state in
            let ofAddress = state.byAddress[remote.name, default: 0]
            guard state.total < limit, remote.isLocal || ofAddress < limitPerAddress else { return false }
            Self.add(remote, to: &state)
            return true
        }
    }

    /// Whether the limit of all connections is reached.
    var isFull: Bool { state.withLock { $0.total >= limit } }

    /// Counts a connection that replaces one about to be closed.
    func enterBeyondLimit(_ remote: Remote) {
        state.withLock { Self.add(remote, to: &$0) }
    }

    private static func add(_ remote: Remote, to state: inout Counts) {
        state.total += 1
        if !remote.isLocal { state.byAddress[remote.name, default: 0] += 1 }
    }

    /// Removes a connection from the count.
    func leave(_ remote: Remote) {
        let isLast = state.withLock { state in
            state.total -= 1
            if !remote.isLocal, let ofAddress = state.byAddress[remote.name] {
                state.byAddress[remote.name] = ofAddress > 1 ? ofAddress - 1 : nil
            }
            return state.total == 0
        }
        if isLast { emptied.broadcast() }
    }

    /// Waits until the last connection is closed, or the monotonic clock reaches `end`.
    func waitUntilEmpty(until end: UInt64) {
        _ = state.wait(for: emptied, until: end) { $0.total == 0 ? () : nil }
    }
}
