// Timers with a clock that the test turns, and on the daemon's timer thread.

import Testing

@testable import Threading

@Suite("Timers")
struct TimersTests {
    /// A clock that moves only when the test sets it.
    private final class Hand: Sendable {
        private let time = Locked<UInt64>(0)
        private let rung = Locked<[String]>([])
        let timers: Timers

        init() { timers = Timers { [time] in time.withLock { $0 } } }

        func timer(_ name: String) -> Timer { Timer { [rung] _ in rung.withLock { $0.append(name) } } }

        /// Sets the time and rings every timer that is due; returns the names of those that rang.
        func turn(to now: UInt64) -> [String] {
            time.withLock { $0 = now }
            while timers.turn() == .worked {}
            return rung.withLock { rung in
                defer { rung = [] }
                return rung
            }
        }
    }

    @Test("timers ring once, at their deadline, in order")
    func order() {
        let hand = Hand()
        let (one, two, three) = (hand.timer("one"), hand.timer("two"), hand.timer("three"))
        hand.timers.set(three, at: 30)
        hand.timers.set(one, at: 10)
        hand.timers.set(two, at: 20)
        #expect(hand.turn(to: 9).isEmpty)
        #expect(hand.turn(to: 10) == ["one"])
        #expect(hand.turn(to: 35) == ["two", "three"])
        #expect(hand.turn(to: 1000).isEmpty)
        #expect(hand.timers.count == 0)
    }

    @Test("a timer that is set again rings at the new time alone, and one that is cancelled does not ring")
    func again() {
        let hand = Hand()
        let (moved, cancelled) = (hand.timer("moved"), hand.timer("cancelled"))
        hand.timers.set(moved, at: 10)
        hand.timers.set(cancelled, at: 10)
        hand.timers.set(moved, at: 20)
        hand.timers.cancel(cancelled)
        hand.timers.cancel(cancelled)
        #expect(hand.turn(to: 19).isEmpty)
        #expect(hand.turn(to: 20) == ["moved"])
        hand.timers.set(moved, at: 21)
        #expect(hand.turn(to: 21) == ["moved"])
    }

    @Test("a timer may set itself as it rings")
    func periodic() {
        let hand = Hand()
        let times = Locked(0)
        let timer = Timer { [timers = hand.timers] timer in
            if times.withLock({ times in
                times += 1; return times
            }) < 3 {
                timers.set(timer, at: timers.now + 10)
            }
        }
        hand.timers.set(timer, at: 10)
        for now in [10, 19, 20, 29, 30, 40] as [UInt64] { _ = hand.turn(to: now) }
        #expect(times.withLock { $0 } == 3)
    }

    @Test("the thread rings an earlier timer while it waits for a later one")
    func thread() throws {
        let timers = Timers()
        try #require(timers.start() && timers.start())
        let (late, early) = (Future<Void>(), Future<Void>())
        let far = Timer { _ in late.fulfil(()) }
        timers.set(far, at: Clock.now + 3_600_000_000_000)
        timers.set(Timer { _ in early.fulfil(()) }, at: Clock.now + 1_000_000)
        early.wait()
        #expect(late.current == nil)
        timers.set(far, at: 0)
        late.wait()
    }
}
