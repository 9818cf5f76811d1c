// Keys of requests with long work on files: while the first request is in progress, every other one is refused.

import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Keys in flight")
struct KeysInFlightTests {
    /// The requests that work on files before, or instead of, changing the model.
    enum Work: CaseIterable, Sendable {
        case save, delete, restore, rollback

        /// Sends the request about a checkpoint or a step; the future gets nil if that checkpoint or step does not exist.
        func send(
            to model: Model, of registry: ModelRegistry, about number: Int, _ key: RequestKey
        ) -> Future<Result<Told?, ServingError>> {
            let answer = Future<Result<Told?, ServingError>>()
            switch self {
            case .save: registry.saveCheckpoint(of: model, key: key) { answer.fulfil($0.map { Told($0) }) }
            case .delete:
                registry.deleteCheckpoint(UInt64(number), of: model, key: key) { result in
                    answer.fulfil(result.map { $0.map { Told($0) } })
                }
            case .restore:
                registry.restore(model, toCheckpoint: UInt64(number), key: key) { result in
                    answer.fulfil(result.map { $0.map { Told($0) } })
                }
            case .rollback:
                registry.rollback(model, toStep: number, key: key) { result in
                    answer.fulfil(result.map { $0.map { Told($0) } })
                }
            }
            return answer
        }

        /// The answer to any of these requests.
        struct Told: Sendable {
            let answer: String
            let isRepeated: Bool

            init<Answer>(_ answered: Answered<Answer>) {
                (answer, isRepeated) = ("\(answered.answer)", answered.isRepeated)
            }
        }
    }

    private static func key(_ body: UInt64 = 1) -> RequestKey {
        RequestKey(
            text: "k", target: Fingerprint(high: 1, low: 0), body: Fingerprint(high: body, low: 0), time: 0)
    }

    /// A model at step 2 with checkpoint 1 of step 1.
    private static func model(of registry: ModelRegistry) throws -> Model {
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        try model.push(RecoveryTests.gradients(1))
        #expect(try registry.save(model).id == 1)
        try model.push(RecoveryTests.gradients(2))
        return model
    }

    @Test(
        "the second arrival is told to wait, another request is refused, and the effect comes once",
        arguments: Work.allCases)
    func held(work: Work) throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        defer { registry.shutDown() }
        let model = try Self.model(of: registry)
        let gate = Future<Void>()
        for executor in [registry.executors.files, registry.executors.saves, registry.executors.restores] {
            executor.perform { gate.wait() }
        }
        let first = work.send(to: model, of: registry, about: 1, Self.key())
        let others = [1, 1, 2].map { work.send(to: model, of: registry, about: 1, Self.key($0)) }
        // The mailbox has handled all requests once it returns an image; the disk is still busy.
        let version = try model.image().head.version
        #expect(others.map(\.current?.refusal) == [.inFlight(key: "k"), .inFlight(key: "k"), .keyReused(key: "k")])
        #expect(first.current == nil)
        gate.fulfil(())
        let outcome = try #require(try first.wait().get())
        let again = try #require(try work.send(to: model, of: registry, about: 1, Self.key()).wait().get())
        #expect(again.isRepeated && !outcome.isRepeated, "it was carried out twice")
        #expect(again.answer == outcome.answer)
        #expect(directory.files("checkpoints").count == (work == .save ? 2 : work == .delete ? 0 : 1))
        #expect(model.publication.current.version == (work == .save || work == .delete ? version : version + 1))
    }

    @Test("work that fails to find its subject leaves its key free", arguments: [Work.delete, .restore, .rollback])
    func nothing(work: Work) throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        defer { registry.shutDown() }
        let model = try Self.model(of: registry)
        #expect(try work.send(to: model, of: registry, about: 99, Self.key()).wait().get() == nil)
        #expect(try work.send(to: model, of: registry, about: 1, Self.key(2)).wait().get() != nil)
    }

    @Test("so does work that fails, and a request under a key is not left waiting by the end of its model")
    func failure() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        defer { registry.shutDown() }
        let model = try Self.model(of: registry)
        let file = "checkpoints/" + (try #require(directory.files("checkpoints").first))
        var bytes = try directory.read(file)
        bytes[bytes.count - 40] ^= 1
        try directory.write(bytes, to: file)
        #expect(throws: ServingError.self) {
            try Work.restore.send(to: model, of: registry, about: 1, Self.key()).wait().get()
        }
        #expect(try Work.rollback.send(to: model, of: registry, about: 1, Self.key(2)).wait().get() != nil)
        try registry.delete("m")
        for work in Work.allCases {
            #expect(throws: ServingError.self) {
                try work.send(to: model, of: registry, about: 1, Self.key(3)).wait().get()
            }
        }
    }
}

extension Result where Failure == ServingError {
    /// The error of a request that failed; nil for any other.
    fileprivate var refusal: ServingError? {
        if case .failure(let error) = self { error } else { nil }
    }
}
