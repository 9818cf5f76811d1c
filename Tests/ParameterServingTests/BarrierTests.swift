// Barriers: who is released and when, that a repeated request counts once, and that an answer that was lost or not
// waited for can be asked for again. All times are given; no test sleeps.

import Names
import Testing
import Threading

@testable import ParameterServing

@Suite("Barriers")
struct BarrierTests {
    private static let second: UInt64 = 1_000_000_000

    private static func configuration(barriers: Int = 4, entries: Int = 100) -> ServingConfiguration {
        var configuration = ServingConfiguration(memoryLimit: 1 << 24)
        (configuration.mostBarriers, configuration.mostAtBarriers) = (barriers, entries)
        configuration.barrierHold = .seconds(60)
        return configuration
    }

    private var board = BarrierBoard(configuration())

    private static func arrival(_ worker: Name, of count: Int = 3, generation: Int? = nil) -> Arrival {
        Arrival(barrier: "b", worker: worker, count: count, generation: generation)
    }

    private static func over(_ generation: Int, count: Int = 3) -> BarrierFacts {
        BarrierFacts(barrier: "b", generation: generation, count: count, arrived: count)
    }

    @Test("the last arrival releases all, and the next generation begins")
    mutating func released() throws {
        #expect(try board.arrive(Self.arrival("a"), request: 1, at: 0) == .init())
        #expect(try board.arrive(Self.arrival("b"), request: 2, at: 0) == .init())
        let turn = try board.arrive(Self.arrival("c"), request: 3, at: 0)
        #expect(turn == .init(passed: Self.over(1), ended: (Self.over(1), [1, 2])))
        #expect(board.entries == 0)
        #expect(try board.arrive(Self.arrival("c"), request: 4, at: 0) == .init())
        #expect(board.facts(of: "b").generation == 2 && board.facts(of: "b").workers == ["c"])
    }

    @Test("a worker that sends its request again counts once, and all its requests are answered")
    mutating func again() throws {
        _ = try board.arrive(Self.arrival("a", of: 2), request: 1, at: 0)
        #expect(try board.arrive(Self.arrival("a", of: 2), request: 2, at: 0) == .init())
        #expect(board.facts(of: "b").arrived == 1)
        #expect(try board.arrive(Self.arrival("b", of: 2), request: 3, at: 0).ended?.requests == [1, 2])
    }

    @Test("a reader sees the open generation, without what has lapsed, and changes nothing")
    mutating func read() throws {
        let nothing = BarrierFacts(barrier: "b", generation: 1, count: 0, arrived: 0)
        #expect(board.open("b", at: 0) == nothing && !nothing.isReleased && board.barriers.isEmpty)
        _ = try board.arrive(Self.arrival("a"), request: nil, at: 0)
        #expect(board.open("b", at: 0).workers == ["a"] && board.open("b", at: 0).count == 3)
        #expect(board.open("b", at: 60 * Self.second).arrived == 0 && board.entries == 0)
        for worker in ["a", "b", "c"] as [Name] { _ = try board.arrive(Self.arrival(worker), request: 1, at: 0) }
        #expect(board.open("b", at: 0).generation == 2)
    }

    @Test("a barrier of one releases its only worker at once, each time")
    mutating func one() throws {
        for generation in 1...3 {
            #expect(
                try board.arrive(Self.arrival("a", of: 1), request: 1, at: 0).passed == Self.over(generation, count: 1))
        }
    }

    @Test("another count is refused while workers wait, and is free when none does")
    mutating func count() throws {
        _ = try board.arrive(Self.arrival("a", of: 3), request: 1, at: 0)
        #expect(throws: ServingError.barrierDiffers("b", asked: 2, open: 3)) {
            _ = try board.arrive(Self.arrival("b", of: 2), request: 2, at: 0)
        }
        board.withdraw(1, at: "b")
        #expect(try board.arrive(Self.arrival("b", of: 1), request: 2, at: 0).passed?.count == 1)
    }

    @Test("a request whose time is up leaves its arrival for a while; then it lapses")
    mutating func lapses() throws {
        _ = try board.arrive(Self.arrival("a", of: 2), request: 1, at: 0)
        let facts = board.giveUp(1, at: "b", now: 10 * Self.second)
        #expect(!facts.isReleased && facts.workers == ["a"] && facts.heldFor == .seconds(60))
        var late = board
        #expect(try board.arrive(Self.arrival("b", of: 2), request: 2, at: 69 * Self.second).passed != nil)
        #expect(try late.arrive(Self.arrival("b", of: 2), request: 2, at: 70 * Self.second).passed == nil)
    }

    @Test("a worker that did not wait is told about its release when it asks, once")
    mutating func told() throws {
        #expect(try board.arrive(Self.arrival("a", of: 2), request: nil, at: 0).passed == nil)
        #expect(try board.arrive(Self.arrival("b", of: 2), request: 1, at: 0).passed == Self.over(1, count: 2))
        #expect(try board.arrive(Self.arrival("a", of: 2), request: 2, at: 0).passed == Self.over(1, count: 2))
        #expect(try board.arrive(Self.arrival("a", of: 2), request: 3, at: 0).passed == nil, "the next generation")
    }

    @Test("with its generation a worker gets a lost answer again, as often as it asks")
    mutating func lostAnswer() throws {
        _ = try board.arrive(Self.arrival("a", of: 2, generation: 1), request: 1, at: 0)
        _ = try board.arrive(Self.arrival("b", of: 2, generation: 1), request: 2, at: 0)
        for request in 3...5 {
            let turn = try board.arrive(Self.arrival("a", of: 2, generation: 1), request: request, at: 0)
            #expect(turn == .init(passed: Self.over(1, count: 2)))
        }
        #expect(board.entries == 0)
        #expect(try board.arrive(Self.arrival("a", of: 2, generation: 2), request: 6, at: 0).passed == nil)
    }

    @Test("a worker of a later generation proves that the open one is over, also after a restart")
    mutating func laterGeneration() throws {
        // The daemon lost its barriers after it had answered `a` and `c`, and before it answered `b`.
        _ = try board.arrive(Self.arrival("b", generation: 7), request: 1, at: 0)
        #expect(board.facts(of: "b").generation == 7)
        let turn = try board.arrive(Self.arrival("a", generation: 8), request: 2, at: 0)
        #expect(turn == .init(passed: nil, ended: (Self.over(7), [1])))
        _ = try board.arrive(Self.arrival("b", generation: 8), request: 3, at: 0)
        #expect(try board.arrive(Self.arrival("c", generation: 8), request: 4, at: 0).passed == Self.over(8))
    }

    @Test("a client that leaves takes its arrival with it, unless another request of the worker waits")
    mutating func withdrawn() throws {
        _ = try board.arrive(Self.arrival("a", of: 2), request: 1, at: 0)
        _ = try board.arrive(Self.arrival("a", of: 2), request: 2, at: 0)
        board.withdraw(1, at: "b")
        #expect(board.facts(of: "b").arrived == 1)
        board.withdraw(2, at: "b")
        #expect(board.facts(of: "b").arrived == 0 && board.entries == 0)
        #expect(try board.arrive(Self.arrival("b", of: 2), request: 3, at: 0).passed == nil)
    }

    @Test("a worker that leaves the model leaves its barriers, and its requests are answered")
    mutating func left() throws {
        _ = try board.arrive(Self.arrival("a"), request: 1, at: 0)
        _ = try board.arrive(Self.arrival("a"), request: 2, at: 0)
        _ = try board.arrive(Self.arrival("b"), request: 3, at: 0)
        #expect(board.leave("a") == [1, 2] && board.leave("a").isEmpty)
        #expect(board.facts(of: "b").workers == ["b"])
        _ = try board.arrive(Self.arrival("c"), request: 4, at: 0)
        #expect(try board.arrive(Self.arrival("d"), request: 5, at: 0).passed != nil)
    }

    @Test("an idle barrier makes room for another; beyond the limits arrivals are refused and change nothing")
    func limits() throws {
        var board = BarrierBoard(Self.configuration(barriers: 2, entries: 5))
        func at(_ barrier: Name, _ worker: Name, _ count: Int = 9) -> Arrival {
            Arrival(barrier: barrier, worker: worker, count: count)
        }
        _ = try board.arrive(at("one", "a"), request: 1, at: 0)
        _ = try board.arrive(at("two", "a", 1), request: 2, at: 0)
        _ = try board.arrive(at("three", "a"), request: 3, at: 0)
        #expect(board.barriers.keys.sorted() == ["one", "three"])
        #expect(throws: ServingError.tooManyBarriers(limit: 2)) {
            _ = try board.arrive(at("four", "a"), request: 4, at: 0)
        }
        #expect(board.entries == 4)
        #expect(throws: ServingError.tooManyAtBarriers(limit: 5)) {
            _ = try board.arrive(at("one", "b"), request: 5, at: 0)
        }
        #expect(board.entries == 4 && board.facts(of: "one").workers == ["a"])
    }

    @Test("ten thousand arrivals in any order: every request of a generation is answered exactly once")
    func anyOrder() throws {
        var (board, answered, open) = (BarrierBoard(Self.configuration(entries: 1000)), 0, 0)
        var waiting: Set<Int> = []
        var state: UInt64 = 7
        for request in 1...10_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let worker = Name("w\(state >> 33 & 15)")
            let turn = try board.arrive(Self.arrival(worker, of: 5), request: request, at: UInt64(request))
            if let ended = turn.ended {
                #expect(Set(ended.requests).isSubset(of: waiting))
                waiting.subtract(ended.requests)
                answered += ended.requests.count
            }
            if turn.passed == nil { waiting.insert(request) } else { answered += 1 }
            if request % 7 == 0, let gone = waiting.min() {
                board.withdraw(gone, at: "b")
                waiting.remove(gone)
                open += 1
            }
        }
        #expect(answered + open + waiting.count == 10_000 && answered > 5000)
    }

    @Test(
        "a live model answers its workers through callbacks, and a worker that is deleted gets 409",
        arguments: Place.allCases)
    func live(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(["optimizer": "sgd", "learning_rate": 1], [("w", [0])])
            let epoch = try model.register("a")
            let answers = Collector<Result<BarrierFacts, ServingError>>()
            func arrive(_ worker: Name, epoch: Int? = nil) throws -> Barriers.Answer {
                let answer = Future<Result<Barriers.Answer, ServingError>>()
                model.arrive(Self.arrival(worker, of: 2), epoch: epoch, resume: { answers.add($0) }) {
                    answer.fulfil($0)
                }
                return try answer.wait().get()
            }
            guard case .waits = try arrive("a", epoch: epoch) else { return #expect(Bool(false), "it is alone") }
            _ = try model.perform(command: .dismiss(worker: "a"))
            #expect(answers.all == [.failure(.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true))])
            #expect(throws: ServingError.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true)) {
                _ = try arrive("a", epoch: epoch)
            }
            guard case .waits(let wait) = try arrive("b") else { return #expect(Bool(false), "`a` has left") }
            guard case .passed(let facts) = try arrive("c") else { return #expect(Bool(false), "both are there") }
            #expect(answers.all.last == .success(facts) && facts == Self.over(1, count: 2))
            // The deadline of a request that was answered at the same moment tells the same.
            #expect(model.barriers.giveUp(wait, at: Tick(time: 0)) == .success(facts))
            guard case .waits = try arrive("b") else { return #expect(Bool(false), "the next generation") }
            model.end(.stopping)
            _ = try? model.perform(command: .note(.deleted))
            #expect(answers.all.last == .failure(.stopping))
            #expect(throws: ServingError.stopping) { _ = try arrive("c") }
        }
    }
}
