// Threads wait, cancel and publish at the same time. A version is published only when every pull has got the one before,
// so that no later version can make up for a wake-up that was lost.

import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Wake-ups")
struct WakeUpTests {
    private static let pulls = 8
    private static let rounds = 10_000

    private let facts: ModelFacts
    private let pool = ArenaPool(count: 2, budget: MemoryBudget(limit: 1 << 20))

    init() throws {
        let shape = try #require(Shape([2]))
        let optimizer = try Catalogue.builtin.makeOptimizer(
            definition: ["optimizer": "sgd"],
            parameters: [ParameterDefinition(name: "w", shape: shape, isTrainable: true)])
        facts = ModelFacts(
            name: "m", uid: ModelUID(number: 7), plan: optimizer.plan, consistency: .standard, pool: pool)
    }

    private func version(_ number: Int) -> PublishedVersion {
        PublishedVersion(
            uid: facts.uid, version: number, step: number - 1, arena: pool.takeForVersion(), facts: facts, lossScale: 1)
    }

    @Test("no pull misses the only version that can wake it, and none is woken twice")
    func noneIsLost() {
        let publication = Publication(version(1))
        let crowd = Crowd((Self.rounds + 1) * Self.pulls)
        let threads = (0..<Self.pulls).map { _ in
            Thread {
                for since in 1...Self.rounds {
                    // The last one publishes while those before it are on their way to wait.
                    if crowd.arrive() == since * Self.pulls {
                        crowd.add(publication.broadcast(version(since + 1)))
                        continue
                    }
                    let woken = Future<Int?>()
                    let token = publication.wait(for: PullCondition(since: since)) { result in
                        if case .version(let version) = result {
                            woken.fulfil(version.version)
                        } else {
                            woken.fulfil(nil)
                        }
                    }
                    if token == nil { crowd.add(1) }
                    guard woken.wait() == since + 1 else { return }
                }
                _ = crowd.arrive()
            }
        }
        if !crowd.isComplete() {
            Issue.record(
                "a pull still waits for version \(publication.current.version), a minute after it was published")
        }
        publication.end(.stopping)
        for thread in threads { thread?.join() }
        #expect(crowd.answers == (Self.pulls - 1) * Self.rounds)
    }

    @Test("a pull that is cancelled while it is woken is counted once, and its place is free again")
    func cancelledAndWoken() {
        let places = WaitingPlaces(Self.pulls)
        let publication = Publication(version(1), places: places)
        let end = Future<Void>()
        let threads = (0..<Self.pulls).map { _ in
            Thread {
                while end.current == nil {
                    let since = publication.current.version
                    let token = publication.wait(for: PullCondition(since: since)) { _ in }
                    if let token { publication.cancel(token) }
                }
            }
        }
        for number in 2...Self.rounds { publication.broadcast(version(number)) }
        end.fulfil(())
        for thread in threads { thread?.join() }
        #expect(publication.waitingCount == 0)
        #expect((0...Self.pulls).map { _ in places.take() } == Array(repeating: true, count: Self.pulls) + [false])
    }
}

/// Counts arrivals of threads, and pulls that were woken or answered at once.
private final class Crowd: Sendable {
    private let most: Int
    private let state = Locked((arrived: 0, answers: 0))
    private let complete = Condition()

    /// Expects a number of arrivals.
    init(_ most: Int) { self.most = most }

    var answers: Int { state.withLock { $0.answers } }

    func add(_ count: Int) { state.withLock { $0.answers += count } }

    /// - Returns: how many have arrived, with this one.
    func arrive() -> Int {
        let count = state.withLock { state in
            state.arrived += 1
            return state.arrived
        }
        if count == most { complete.signal() }
        return count
    }

    /// Waits for all; false after a minute in which none has arrived.
    func isComplete() -> Bool {
        while true {
            let before = state.withLock { $0.arrived }
            let end = Clock.now + 60_000_000_000
            if state.wait(for: complete, until: end, { $0.arrived == most ? true : nil }) != nil { return true }
            if state.withLock({ $0.arrived }) == before { return false }
        }
    }
}
