// The number of streams of events: each costs a connection for as long as its client likes.

import Threading

/// Counts streams against their limit.
final class StreamCount: Sendable {
    /// The place of one stream, free again when the last reference is released.
    final class Seat: Sendable {
        private let owner: StreamCount

        fileprivate init(_ owner: StreamCount) { self.owner = owner }

        deinit { owner.count.withLock { $0 -= 1 } }
    }

    private let count = Locked(0)

    /// The streams that exist now.
    var current: Int { count.withLock { $0 } }

    /// A place for one more stream; nil if there are `most`.
    func seat(atMost most: Int) -> Seat? {
        let isFree = count.withLock { count in
            guard count < most else { return false }
            count += 1
            return true
        }
        return isFree ? Seat(self) : nil
    }
}
