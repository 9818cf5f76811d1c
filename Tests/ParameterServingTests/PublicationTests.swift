// broadcast_params as in the seed: a successful update makes one version visible, and every waiting pull gets that very
// version, in the update order of groups.

import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Publication")
struct PublicationTests {
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

    @Test("after an update that failed nothing is published and no pull is woken")
    func failedUpdate() {
        let publication = Publication(version(1))
        let answers = Collector<PullResult>()
        _ = publication.wait(for: PullCondition(since: 1)) { answers.add($0) }
        #expect(publication.broadcastParams(optimResult: false, version(2)).pulls.isEmpty)
        #expect(publication.current.version == 1)
        #expect(publication.waitingCount == 1)
        #expect(answers.all.isEmpty)
    }

    @Test("500 waiting pulls all get the same version, and their number is reported")
    func manyPulls() {
        let publication = Publication(version(1))
        let got = Collector<ObjectIdentifier>()
        for _ in 0..<500 {
            _ = publication.wait(for: PullCondition(since: 1)) { result in
                if case .version(let version) = result { got.add(ObjectIdentifier(version)) }
            }
        }
        let next = version(2)
        #expect(publication.broadcast(next) == 500)
        #expect(got.all == Array(repeating: ObjectIdentifier(next), count: 500))
        #expect(publication.waitingCount == 0)
        #expect(publication.broadcast(version(3)) == 0)
    }

    @Test("earlier versions stay readable, as many as asked for")
    func retention() {
        let publication = Publication(version(1), retaining: 2)
        for number in 2...5 { publication.broadcast(version(number)) }
        #expect((1...6).map { publication.version($0)?.version } == [nil, nil, 3, 4, 5, nil])
        #expect(publication.oldest.version == 3)
    }

    @Test(
        "of large versions fewer stay readable, by the bytes of their values",
        arguments: [(1 << 20, 3), (16, 2), (15, 1), (7, 0)])
    func largeVersions(bytes: Int, expected: Int) {
        // Each has two values of 4 bytes.
        let publication = Publication(version(1), retaining: 3, bytes: bytes)
        for number in 2...6 { publication.broadcast(version(number)) }
        #expect((1...5).filter { publication.version($0) != nil }.count == expected)
        #expect(publication.oldest.version == 6 - expected)
    }

    @Test("where memory is short no earlier version is kept")
    func retentionUnderPressure() throws {
        let budget = MemoryBudget(limit: 64)
        let pool = ArenaPool(count: 2, budget: budget)
        let arenas = try (0..<3).map { _ in try pool.take() }
        let versions = zip(1..., arenas).map {
            PublishedVersion(uid: facts.uid, version: $0, step: 0, arena: $1, facts: facts, lossScale: 1)
        }
        let publication = Publication(versions[0], retaining: 2)
        publication.broadcast(versions[1])
        #expect(publication.version(1) != nil)
        let pressure = try budget.reserve(32)
        publication.broadcast(versions[2])
        #expect(publication.version(1) == nil && publication.version(2) == nil && pressure.bytes == 32)
    }

    @Test("a pull without a place is refused, and each way to stop waiting makes room for another one")
    func places() throws {
        let places = WaitingPlaces(2)
        let publications = (0..<2).map { _ in Publication(version(1), places: places) }
        let refusals = Collector<ServingError>()
        let wait = { (publication: Publication) in
            publication.wait(for: PullCondition(since: 1)) { if case .ended(let error) = $0 { refusals.add(error) } }
        }
        #expect(publications.map { wait($0) == nil } == [false, false])
        #expect(publications.map { wait($0) == nil } == [true, true])
        #expect(refusals.all == [.tooManyWaiting(limit: 2), .tooManyWaiting(limit: 2)])
        publications[0].broadcast(version(2))
        let token = try #require(wait(publications[1]))
        publications[1].cancel(token)
        publications[1].cancel(token)
        #expect(wait(publications[1]) != nil)
        publications[1].end(.stopping)
        #expect(refusals.all.suffix(2) == [.stopping, .stopping])
        #expect((0..<3).map { _ in places.take() } == [true, true, false])
    }

    @Test("pulls of everything come first, then those of a group in update order, each kind in order of arrival")
    func groupOrder() {
        let publication = Publication(version(1))
        let order = Collector<String>()
        for (name, group) in [("b1", 1), ("a1", 0), ("all1", nil), ("b2", 1), ("a2", 0), ("all2", nil)] as [(_, Int?)] {
            _ = publication.wait(for: PullCondition(since: 1, group: group)) { _ in order.add(name) }
        }
        publication.broadcast(version(2))
        #expect(order.all == ["all1", "all2", "a1", "a2", "b1", "b2"])
    }

    @Test("a pull whose condition is met is answered at once and never again")
    func answeredAtOnce() {
        let publication = Publication(version(5))
        let answers = Collector<Int>()
        let token = publication.wait(for: PullCondition(since: 4, minStep: 4)) { result in
            if case .version(let version) = result { answers.add(version.version) }
        }
        #expect(token == nil)
        publication.broadcast(version(6))
        #expect(answers.all == [5])
    }

    @Test("a pull waits until both its version and its step are there")
    func bothConditions() {
        let publication = Publication(version(1))
        let answers = Collector<Int>()
        _ = publication.wait(for: PullCondition(since: 1, minStep: 3)) { result in
            if case .version(let version) = result { answers.add(version.version) }
        }
        for number in 2...5 { publication.broadcast(version(number)) }
        #expect(answers.all == [4])
    }

    @Test("a pull that was cancelled is not woken")
    func cancelled() throws {
        let publication = Publication(version(1))
        let answers = Collector<PullResult>()
        let token = try #require(publication.wait(for: PullCondition(since: 1)) { answers.add($0) })
        publication.cancel(token)
        #expect(publication.broadcast(version(2)) == 0)
        #expect(answers.all.isEmpty)
    }

    @Test("an end answers those that wait and those that come later")
    func end() {
        let publication = Publication(version(1))
        let reasons = Collector<ServingError>()
        let note: @Sendable (PullResult) -> Void = { if case .ended(let reason) = $0 { reasons.add(reason) } }
        _ = publication.wait(for: PullCondition(since: 1), resume: note)
        publication.end(.stopping)
        _ = publication.wait(for: PullCondition(since: 1), resume: note)
        #expect(reasons.all == [.stopping, .stopping])
        #expect(publication.waitingCount == 0)
    }

    @Test("pulls that come while versions are published each get a version that answers them, once")
    func concurrentPulls() {
        let publication = Publication(version(1))
        let answers = Collector<Int>()
        let done = Future<Void>()
        let pulling = Thread {
            for _ in 0..<1000 {
                let since = publication.current.version
                _ = publication.wait(for: PullCondition(since: since)) { result in
                    if case .version(let version) = result { answers.add(version.version - since) }
                }
            }
            done.fulfil(())
        }
        var number = 2
        while done.current == nil {
            publication.broadcast(version(number))
            number += 1
        }
        publication.broadcast(version(number))
        pulling?.join()
        #expect(answers.all.count == 1000)
        #expect(answers.all.allSatisfy { $0 >= 1 })
    }
}

extension Publication {
    /// Publishes a version and wakes the pulls that it answers; returns their number.
    @discardableResult
    func broadcast(_ version: PublishedVersion) -> Int {
        let broadcast = broadcastParams(optimResult: true, version)
        broadcast.wake()
        return broadcast.pulls.count
    }
}
