// The receipt of a push that waits in a round, at the end of the time that its request waits.

import Testing
import Threading

@testable import HTTPServing

@Suite("Receipts of held pushes")
struct HeldReceiptTests {
    private static let definition = """
        {"optimizer":"sgd","parameters":{"w":[0]},"consistency":{"mode":"sync","workers":4,"round_timeout":"100s"}}
        """
    private static let target = "/v1/models/m/gradients"

    /// A way to send the push of `a`, whose gradient is 1.
    enum Form: CaseIterable {
        case json, binary, keyed
    }

    private static func push(
        _ form: Form, _ query: String, _ process: InProcess
    ) throws -> Answer? {
        switch form {
        case .json: return try process.send(.post, target + query, body: body(of: "a"))
        case .keyed:
            return try process.send(
                .post, target + query, headers: [("Idempotency-Key", "k")],
                body: Array(#"{"gradients":{"w":[1]}}"#.utf8))
        case .binary:
            let header = Array(#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.utf8)
            let length = withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init)
            let value = withUnsafeBytes(of: Float(1).bitPattern.littleEndian, Array.init)
            return try process.send(
                .post, target + query,
                headers: [
                    ("Content-Type", "application/vnd.safetensors"), ("X-Paramd-Worker", "a"), ("X-Paramd-Seq", "1"),
                ], body: length + header + value)
        }
    }

    private static func body(of worker: String) -> [UInt8] {
        Array(#"{"gradients":{"w":[1]},"worker":"\#(worker)","seq":1}"#.utf8)
    }

    /// The counts of a receipt, the seconds that its round has left, and whether it is repeated, as its members and its
    /// header say.
    private static func told(_ answer: Answer?) throws -> [String] {
        let answer = try #require(answer)
        let round = try #require(answer.json["round"] as? [String: Any])
        let counts = "\(round["received"] ?? "no count") of \(round["needed"] ?? "any")"
        let isMarked = answer.headers.contains { $0.name == "Idempotency-Replayed" }
        return [
            "\(answer.status)", counts, "\(round["closes_in"] ?? "never")",
            "\(answer.json["replayed"] as? Bool == true)",
            "\(isMarked)",
        ]
    }

    @Test("have the counts of that time, also where the push is sent again", arguments: Form.allCases)
    func expires(form: Form) throws {
        let now = Locked<UInt64>(5_000_000_000)
        let timers = Timers { now.withLock { $0 } }
        let process = try InProcess(timers: timers)
        #expect(try process.send(.put, "/v1/models/m", body: Array(Self.definition.utf8))?.status == 201)
        for isRepeated in [false, true] {
            let answer = Locked<Result<Answer?, any Error>?>(nil)
            let timersBefore = timers.count
            let waiting = Threading.Thread {
                let result = Result { try Self.push(form, "?wait=10s", process) }
                answer.withLock { $0 = result }
            }
            // The timer of the request, and at first that of the round.
            try until { timers.count == timersBefore + (isRepeated ? 1 : 2) }
            let other = Self.body(of: isRepeated ? "c" : "b")
            #expect(try process.send(.post, Self.target, body: other)?.status == 202)
            now.withLock { $0 += 10_000_000_000 }
            #expect(timers.turn() == .worked)
            waiting?.join()
            let told = try Self.told(try #require(answer.withLock { $0 }).get())
            let expected = isRepeated ? ["3 of 4", "80s", "true", "true"] : ["2 of 4", "90s", "false", "false"]
            #expect(told == ["202"] + expected)
        }
    }
}
