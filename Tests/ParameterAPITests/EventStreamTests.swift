// A stream of events as the network reads it, with a clock that only the test advances.

import Names
import Testing
import Threading

@testable import HTTPServing
@testable import ParameterAPI
@testable import ParameterServing

@Suite("Event streams")
struct EventStreamTests {
    /// A feed, and a stream of it that the test reads by hand.
    private final class Bench: Sendable {
        private let time = Locked<UInt64>(1_000_000_000)
        private let wakes = Locked(0)
        let timers: Timers
        let feed: EventFeed
        let seats = StreamCount()
        let stream: EventStream

        init(_ kinds: Set<ModelEvent.Kind> = Set(ModelEvent.Kind.allCases), after number: Int = 1) throws {
            timers = Timers { [time] in time.withLock { $0 } }
            feed = EventFeed(
                ModelUID(number: 7), EventRing(most: 4, floor: EventID(number: 1)), in: nil,
                MemoryBudget(limit: 1 << 30))
            stream = EventStream(
                feed, of: kinds, after: EventID(number: number), heartbeat: .seconds(15),
                try #require(seats.seat(atMost: 1)), timers: timers)
        }

        /// The text that can be read now; nil at the end.
        func read(atMost room: Int = 1 << 16) -> String? {
            var text = ""
            while true {
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 1)
                defer { buffer.deallocate() }
                switch stream.read(into: buffer, orElse: { [wakes] in wakes.withLock { $0 += 1 } }) {
                case .bytes(let count): text += String(decoding: buffer[0..<count], as: UTF8.self)
                case .later: return text
                case .end: return text.isEmpty ? nil : text
                }
            }
        }

        /// How often the stream has asked to be read since the last call.
        func takeWakes() -> Int {
            wakes.withLock { wakes in
                defer { wakes = 0 }
                return wakes
            }
        }

        func advance(by duration: Duration) {
            time.withLock { $0 += duration.nanoseconds }
            while timers.turn() == .worked {}
        }

        func add(_ event: ModelEvent) { feed.add(event, of: "m", feed.uid, time: 1_700_000_000) }
    }

    private static let start = "retry: 2000\nid: 00000007.1\n\n"

    private static func update(_ number: Int, _ step: Int) -> String {
        """
        id: 00000007.\(number)
        event: update
        data: {"model":"m","uid":"00000007","time":1700000000,"step":\(step),"version":\(step + 1),\
        "cursor":"00000007-\(step + 1)","loss":0.5}


        """
    }

    @Test("it starts with its place and tells each event", arguments: [1 << 16, 1, 7])
    func tells(room: Int) throws {
        let bench = try Bench()
        #expect(bench.read(atMost: room) == Self.start && bench.takeWakes() == 0)
        bench.add(.update(step: 1, version: 2, loss: 0.5))
        #expect(bench.takeWakes() == 1)
        #expect(bench.read(atMost: room) == Self.update(2, 1))
        bench.advance(by: .milliseconds(20))
        bench.add(.workerJoined("a\nb", epoch: 3))
        let joined = bench.read(atMost: room) ?? ""
        #expect(joined.contains("event: worker_joined\ndata: {") && joined.contains(#""worker":"a\nb","epoch":3}"#))
        // The data is one line, whatever a name contains.
        #expect(joined.split(separator: "\n").count == 3)
    }

    @Test("updates that come soon after another are joined; the newest is told when its time has come")
    func joined() throws {
        let bench = try Bench()
        _ = bench.read()
        bench.add(.update(step: 1, version: 2, loss: 0.5))
        #expect(bench.read() == Self.update(2, 1))
        for step in 2...9 { bench.add(.update(step: step, version: step + 1, loss: 0.5)) }
        bench.advance(by: .milliseconds(19))
        #expect(bench.takeWakes() == 1 && bench.read() == "")
        bench.advance(by: .milliseconds(1))
        #expect(bench.takeWakes() == 1)
        #expect(bench.read() == Self.update(10, 9))
    }

    @Test("a heartbeat is sent in time, with or without events")
    func heartbeat() throws {
        let bench = try Bench([.patch])
        _ = bench.read()
        bench.advance(by: .seconds(14))
        bench.add(.update(step: 1, version: 2, loss: 0.5))
        #expect(bench.takeWakes() == 0 && bench.read() == "")
        bench.advance(by: .seconds(1))
        #expect(bench.takeWakes() == 1 && bench.read() == ": heartbeat\n\n")
        bench.advance(by: .seconds(15))
        #expect(bench.takeWakes() == 1 && bench.read() == ": heartbeat\n\n")
    }

    @Test("when the client sends nothing more, something is sent at once, to see whether it is there")
    func finished() throws {
        let bench = try Bench()
        _ = bench.read()
        bench.stream.noteClientFinished()
        #expect(bench.takeWakes() == 1 && bench.read() == ": heartbeat\n\n")
        bench.add(.update(step: 1, version: 2, loss: 0.5))
        #expect(bench.read() == Self.update(2, 1))
    }

    @Test("a reader that is too slow gets a gap event, and continues")
    func gap() throws {
        let bench = try Bench()
        _ = bench.read()
        for _ in 1...10 { bench.add(.workerLeft("a", epoch: 1, because: .deleted)) }
        #expect(bench.takeWakes() == 1)
        let text = bench.read() ?? ""
        #expect(
            text.hasPrefix("id: 00000007.7\nevent: gap\ndata: {\"missed_through\":\"00000007.7\"}\n\nid: 00000007.8\n"))
        #expect(text.split(separator: "\n").filter { $0 == "event: worker_left" }.count == 4)
    }

    @Test("it ends with the model, and with the daemon")
    func ends() throws {
        let deleted = try Bench()
        _ = deleted.read()
        deleted.add(.deleted(isReplaced: true))
        deleted.feed.end(.modelReplaced("m"))
        #expect(deleted.takeWakes() == 1)
        deleted.advance(by: .milliseconds(20))
        #expect(deleted.read()?.contains(#""replaced":true}"#) == true)
        deleted.advance(by: .milliseconds(20))
        #expect(deleted.read() == nil)
        let stopped = try Bench()
        _ = stopped.read()
        stopped.feed.end(.stopping)
        #expect(stopped.takeWakes() == 1)
        #expect(stopped.read() == "event: shutdown\ndata: {}\n\n" && stopped.read() == nil)
    }

    @Test("a stream keeps its seat until it is closed, and is not woken after that")
    func seat() throws {
        let bench = try Bench()
        _ = bench.read()
        #expect(bench.seats.seat(atMost: 1) == nil && bench.seats.current == 1)
        bench.stream.close()
        #expect(bench.seats.current == 0 && bench.timers.count == 0)
        bench.add(.workerLeft("a", epoch: 1, because: .deleted))
        #expect(bench.takeWakes() == 0)
    }
}
