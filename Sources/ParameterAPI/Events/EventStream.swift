// A stream of events to one client. It has no queue: it remembers a place in the feed and reads from there when its
// connection has room, so that a slow client gets fewer updates instead of costing memory.

import HTTPServing
import ParameterServing
import Threading

/// The content of a stream of events, made when the network asks for it: each time a few short texts.
final class EventStream: BodySource, @unchecked Sendable {
    /// The most events made at a time.
    private static let mostEvents = 32
    /// The size at which no further event is made before the client has taken this much.
    private static let textBytes = 1 << 15

    private struct Sleep {
        var wake: (@Sendable () -> Void)?
        /// The next heartbeat, in nanoseconds of the monotonic clock.
        var nextBeat: UInt64
        var seat: StreamCount.Seat?
    }

    let count: Int? = nil
    let heldBytes = 2 * textBytes
    private let feed: EventFeed
    private let kinds: Set<ModelEvent.Kind>
    private let timers: Timers
    private let heartbeat: UInt64
    private let interval = ServingConfiguration.eventInterval.nanoseconds
    private let sleep: Locked<Sleep>
    /// Wakes the reader for a heartbeat, or for events that came soon after others.
    private let timer: Timer

    // Used only by the reading thread.
    private var place: EventID
    private var text: ArraySlice<UInt8>
    private var isOver = false
    /// No events are made before this time: updates until then are joined.
    private var notBefore: UInt64 = 0
    private var waiting: WaitToken?

    /// Makes a stream that continues after a place, and keeps its seat until it is closed.
    init(
        _ feed: EventFeed, of kinds: Set<ModelEvent.Kind>, after place: EventID, heartbeat: Duration,
        _ seat: StreamCount.Seat, timers: Timers = .process
    ) {
        (self.feed, self.kinds, self.place, self.timers) = (feed, kinds, place, timers)
        self.heartbeat = max(heartbeat.nanoseconds, interval)
        text = EventText.start(at: place, of: feed.uid)[...]
        let sleep = Locked(Sleep(nextBeat: timers.now + self.heartbeat, seat: seat))
        self.sleep = sleep
        timer = Timer { _ in Self.rouse(sleep) }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, orElse wake: @escaping @Sendable () -> Void) -> BodyRead {
        if text.isEmpty, !isOver { makeText(wake) }
        if text.isEmpty { return isOver ? .end : .later }
        let count = min(text.count, buffer.count)
        buffer.copyBytes(from: text.prefix(count))
        text.removeFirst(count)
        return .bytes(count)
    }

    /// Fills `text`, or arranges for `wake` to be called.
    private func makeText(_ wake: @escaping @Sendable () -> Void) {
        let now = timers.now
        if takeBeat(now) { return text = EventText.heartbeat[...] }
        sleep.withLock { $0.wake = wake }
        if now < notBefore { return timers.set(timer, at: notBefore) }
        if let waiting { feed.cancel(waiting) }
        waiting = nil
        switch feed.read(after: place, of: kinds, atMost: Self.mostEvents, orElse: { [sleep] in Self.rouse(sleep) }) {
        case .events(let events): write(events, now)
        case .missed(let oldest):
            place = oldest
            text = EventText.gap(upTo: oldest, of: feed.uid)[...]
        case .ended(let reason):
            isOver = true
            if reason == .stopping { text = EventText.shutdown[...] }
        case .waits(let token):
            waiting = token
            timers.set(timer, at: sleep.withLock { $0.nextBeat })
        }
    }

    private func write(_ events: [FeedEvent], _ now: UInt64) {
        var bytes: [UInt8] = []
        for event in events where bytes.count < Self.textBytes {
            bytes += EventText.event(event, of: feed.uid)
            place = event.id
        }
        text = bytes[...]
        notBefore = now + interval
    }

    /// Whether a heartbeat is due; it is not due again before its time.
    private func takeBeat(_ now: UInt64) -> Bool {
        sleep.withLock { sleep in
            guard now >= sleep.nextBeat else { return false }
            sleep.nextBeat = now + heartbeat
            return true
        }
    }

    private static func rouse(_ sleep: Locked<Sleep>) {
        let wake = sleep.withLock { sleep in
            defer { sleep.wake = nil }
            return sleep.wake
        }
        wake?()
    }

    /// Sends a heartbeat at once: if the client has left, its system answers that the connection is gone.
    func noteClientFinished() {
        sleep.withLock { $0.nextBeat = 0 }
        Self.rouse(sleep)
    }

    func close() {
        timers.cancel(timer)
        if let waiting { feed.cancel(waiting) }
        sleep.withLock { ($0.wake, $0.seat) = (nil, nil) }
    }
}
