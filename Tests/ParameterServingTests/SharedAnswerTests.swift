// Answers that take long: made once for all clients, in slices that take turns, without delaying the models.

import Testing
import Threading

@testable import ParameterServing

private final class Bytes: Encoding {}
private final class Text: Encoding {}

extension EncodingCache.Claim {
    fileprivate var word: String {
        switch self {
        case .ready: "ready"
        case .waits: "waits"
        case .make: "make"
        case .makeAlone: "makeAlone"
        }
    }
}

@Suite("Shared answers")
struct SharedAnswerTests {
    @Test("the first who asks makes it, all who ask meanwhile get it, and who asks later finds it")
    func once() throws {
        let cache = EncodingCache()
        let got = Collector<ObjectIdentifier?>()
        let use: EncodingCache.Use<Bytes> = { result in got.add((try? result.get()).map { ObjectIdentifier($0) }) }
        #expect(cache.claim("j", use).word == "make")
        for _ in 0..<1000 {
            #expect(cache.claim("j", use).word == "waits")
        }
        #expect(got.all.isEmpty)
        let made = Bytes()
        cache.settle("j", .success(made))
        #expect(got.all == Array(repeating: ObjectIdentifier(made), count: 1001))
        guard case .ready(let found) = cache.claim("j", use) else {
            Issue.record("it is gone")
            return
        }
        #expect(found === made)
        cache.clear()
        #expect(cache.claim("j", use).word == "make")
    }

    @Test("a failure is told to all who wait, and the next who asks tries again")
    func failure() {
        let cache = EncodingCache()
        let failures = Collector<Bool>()
        let use: EncodingCache.Use<Bytes> = { result in failures.add((try? result.get()) == nil) }
        _ = cache.claim("j", use)
        _ = cache.claim("j", use)
        cache.settle("j", Result<Bytes, ServingError>.failure(.outOfMemory(needed: 1, limit: 0)))
        #expect(failures.all == [true, true])
        #expect(cache.claim("j", use).word == "make")
    }

    @Test("a version keeps 32 of them; who asks for more makes them alone")
    func bounded() {
        let cache = EncodingCache()
        let use: EncodingCache.Use<Bytes> = { _ in }
        for number in 0..<32 { _ = cache.claim("\(number)", use) }
        #expect(cache.claim("32", use).word == "makeAlone")
    }

    @Test("who asks for another form under the same key makes it alone, and is not forgotten")
    func otherForm() {
        let cache = EncodingCache()
        let (use, other): (EncodingCache.Use<Bytes>, EncodingCache.Use<Text>) = ({ _ in }, { _ in })
        #expect(cache.claim("j", use).word == "make")
        #expect(cache.claim("j", other).word == "makeAlone")
        cache.settle("j", .success(Bytes()))
        #expect(cache.claim("j", use).word == "ready")
        #expect(cache.claim("j", other).word == "makeAlone")
    }

    /// Adds its name to a list at each slice.
    private final class Work: SlicedWork {
        private let name: String
        private let notes: Collector<String>
        private let left: Locked<Int>

        init(_ name: String, slices: Int, _ notes: Collector<String>) {
            self.name = name
            self.notes = notes
            left = Locked(slices)
        }

        func slice() -> Bool {
            notes.add(name)
            return left.withLock { left in
                left -= 1
                return left > 0
            }
        }
    }

    /// Occupies a thread of the executor until it is released.
    private static func hold(_ executor: Executor) -> Future<Bool> {
        let gate = Future<Bool>()
        executor.perform { _ = gate.wait() }
        return gate
    }

    @Test("work takes turns, slice by slice, and behind what is ready meanwhile")
    func turns() {
        let executor = Executor(threads: 1)
        let notes = Collector<String>()
        let queue = SliceQueue(executor, lanes: 1)
        let gate = Self.hold(executor)
        queue.add(Work("a", slices: 3, notes))
        queue.add(Work("b", slices: 2, notes))
        queue.add { notes.add("c") }
        executor.perform { notes.add("model") }
        gate.fulfil(true)
        executor.stop()
        #expect(notes.all == ["a", "model", "b", "c", "a", "b", "a"])
    }

    @Test("once an executor is idle, its threads hold nothing")
    func idle() {
        let executor = Executor(threads: 3)
        for _ in 0..<2000 {
            weak var held: Bytes?
            for _ in 0..<4 {
                let bytes = Bytes()
                held = bytes
                executor.perform { withExtendedLifetime(bytes) {} }
            }
            executor.waitUntilIdle()
            #expect(held == nil)
        }
        executor.stop()
    }

    @Test("a lane ends when there is no work, and opens again for more", arguments: [1, 3])
    func again(lanes: Int) {
        let executor = Executor(threads: 3)
        let notes = Collector<String>()
        let queue = SliceQueue(executor, lanes: lanes)
        for round in 1...50 {
            let done = Future<Bool>()
            queue.add(Work("w", slices: 5, notes))
            queue.add { done.fulfil(true) }
            #expect(done.wait())
            while notes.all.count < 5 * round {}
        }
        executor.stop()
        #expect(notes.all.count == 250)
    }
}
