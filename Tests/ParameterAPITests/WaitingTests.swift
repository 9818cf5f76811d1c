// Requests that wait for other requests, and clients that leave before their answer.

import Glibc
import Testing
import Threading

@testable import HTTPServing

@Suite("Waiting, in process")
struct WaitingTests {
    private static let definition = #"{"optimizer":"sgd","learning_rate":0.5,"parameters":{"w":[0,0]}}"#
    private static let push = #"{"gradients":{"w":[1,-2]}}"#

    private static func withModel(timers: Timers = .process, _ body: (InProcess) throws -> Void) throws {
        let process = try InProcess(timers: timers)
        let answer = try process.send(.put, "/v1/models/m", body: Array(definition.utf8))
        try #require(answer?.status == 201)
        try body(process)
    }

    @Test("a pull that waits for the next version is parked, and gets what a push made")
    func waits() throws {
        try Self.withModel { process in
            let pulled = Locked<Answer?>(nil)
            let waiting = Threading.Thread {
                let answer = try? process.send(.get, "/v1/models/m/parameters?since=1&wait=60s")
                pulled.withLock { $0 = answer }
            }
            try until { try process.waiters() == 1 }
            let receipt = try #require(try process.send(.post, "/v1/models/m/gradients", body: Array(Self.push.utf8)))
            #expect(receipt.json["woken"] as? Int == 1)
            waiting?.join()
            let answer = try #require(pulled.withLock { $0 })
            #expect(answer.status == 200)
            #expect(answer.json["version"] as? Int == 2)
            let parameters = try #require(answer.json["parameters"] as? [String: [String: Any]])
            #expect(parameters["w"]?["data"] as? [Double] == [-0.5, 1])
        }
    }

    @Test(
        "a pull is told at its deadline, and not before, that nothing has come", arguments: ["since=1", "min_step=1"])
    func expires(condition: String) throws {
        let now = Locked<UInt64>(5_000_000_000)
        let timers = Timers { now.withLock { $0 } }
        try Self.withModel(timers: timers) { process in
            let pulled = Locked<Answer?>(nil)
            let waiting = Threading.Thread {
                let answer = try? process.send(.get, "/v1/models/m/parameters?\(condition)&wait=60s")
                pulled.withLock { $0 = answer }
            }
            try until { timers.count == 1 }
            now.withLock { $0 += 59_999_999_999 }
            #expect(timers.turn() == .idle)
            #expect(try process.waiters() == 1)
            now.withLock { $0 += 1 }
            #expect(timers.turn() == .worked)
            waiting?.join()
            let answer = try #require(pulled.withLock { $0 })
            #expect(answer.status == (condition == "since=1" ? 304 : 202))
            #expect(try process.waiters() == 0)
            #expect(timers.count == 0)
        }
    }

    @Test("a pull that has waited for slower workers waits for its version only for the rest of its time")
    func waitsOnce() throws {
        let now = Locked<UInt64>(5_000_000_000)
        let timers = Timers { now.withLock { $0 } }
        let process = try InProcess(timers: timers)
        let consistency = #""consistency":{"mode":"ssp","workers":2,"slack":0}"#
        let definition = #"{"optimizer":"sgd","parameters":{"w":[0]},\#(consistency)}"#
        #expect(try process.send(.put, "/v1/models/m", body: Array(definition.utf8))?.status == 201)
        func push(_ worker: String, _ seq: Int) throws {
            let body = #"{"gradients":{"w":[1]},"worker":"\#(worker)","seq":\#(seq)}"#
            #expect(try process.send(.post, "/v1/models/m/gradients", body: Array(body.utf8))?.status == 200)
        }
        for seq in 1...2 { try push("fast", seq) }
        let pulled = Locked<Answer?>(nil)
        let waiting = Threading.Thread {
            let answer = try? process.send(.get, "/v1/models/m/parameters?worker=fast&since=5&wait=60s")
            pulled.withLock { $0 = answer }
        }
        try until { timers.count == 1 }
        now.withLock { $0 += 40_000_000_000 }
        for seq in 1...2 { try push("slow", seq) }
        try until { try process.waiters() == 1 && timers.count == 1 }
        now.withLock { $0 += 19_999_999_999 }
        #expect(timers.turn() == .idle)
        now.withLock { $0 += 1 }
        #expect(timers.turn() == .worked)
        waiting?.join()
        #expect(pulled.withLock { $0?.status } == 304)
    }

    @Test("a pull that is answered, or whose client leaves, leaves no timer behind")
    func leavesNoTimer() throws {
        let timers = Timers { 0 }
        try Self.withModel(timers: timers) { process in
            try process.leave(.get, "/v1/models/m/parameters?since=1&wait=60s")
            #expect(timers.count == 0)
            let waiting = Threading.Thread { _ = try? process.send(.get, "/v1/models/m/parameters?since=1&wait=60s") }
            try until { timers.count == 1 }
            _ = try process.send(.post, "/v1/models/m/gradients", body: Array(Self.push.utf8))
            waiting?.join()
            #expect(timers.count == 0)
        }
    }

    @Test("a pull whose client leaves waits no longer")
    func leaves() throws {
        try Self.withModel { process in
            try process.leave(.get, "/v1/models/m/parameters?since=1&wait=60s")
            try until { try process.waiters() == 0 }
            let receipt = try #require(try process.send(.post, "/v1/models/m/gradients", body: Array(Self.push.utf8)))
            #expect(receipt.json["woken"] as? Int == 0)
        }
    }

    @Test("a push whose client leaves in the body changes nothing and holds nothing", arguments: [0, 1, 12, 25])
    func leavesInBody(sent: Int) throws {
        try Self.withModel { process in
            // The pool keeps the memory of a gradient for the next one.
            try process.leave(.post, "/v1/models/m/gradients", body: Array(Self.push.utf8), after: 25)
            let before = process.registry.budget.reserved
            try process.leave(.post, "/v1/models/m/gradients", body: Array(Self.push.utf8), after: sent)
            try until { process.registry.budget.reserved == before }
            let answer = try #require(try process.send(.get, "/v1/models/m/parameters"))
            #expect(answer.json["version"] as? Int == 1)
        }
    }
}

extension InProcess {
    /// Pulls that wait for the model `m`.
    fileprivate func waiters() throws -> Int {
        try registry.model(named: "m").publication.waitingCount
    }
}

/// Waits up to a minute for what other threads do.
func until(_ condition: () throws -> Bool) throws {
    let deadline = Clock.now + 60_000_000_000
    while try !condition() {
        try #require(Clock.now < deadline)
        usleep(1_000)
    }
}
