// A push that is sent again after the model has changed: byte for byte the same, so it gets its receipt, however little of
// it fits into the model now; with any difference, also in values that do not fit, it is another push.

import Foundation
import Testing

@testable import HTTPServing

@Suite("Retries after a change of the layout, in process")
struct LayoutRetryTests {
    private static let definition = """
        {"optimizer":"lazy_adam","learning_rate":0.5,"parameters":
         {"first":[0],"w":{"shape":[2,2],"init":"zeros"},"e":{"shape":[3,1],"init":"zeros"},"z":[0]}}
        """

    /// Every change of a layout that a client can make.
    enum Change: String, CaseIterable, Sendable {
        case rows, added, frozen, regrouped, restored

        func send(to process: InProcess) throws {
            let (method, target, body): (HTTPServing.Method, String, String) =
                switch self {
                case .rows:
                    (.post, "parameters", #"{"rows":{"w":{"count":1,"init":"zeros"},"e":{"count":1,"init":"ones"}}}"#)
                case .added: (.post, "parameters", #"{"add":{"a":{"shape":[2],"init":"zeros"}}}"#)
                case .frozen: (.patch, "", #"{"parameters":{"w":{"trainable":false},"first":{"trainable":false}}}"#)
                case .regrouped: (.patch, "", #"{"parameters":{"first":{"trainable":false},"z":{"group":"default"}}}"#)
                case .restored: (.post, "checkpoints/1/restore", "")
                }
            let path = "/v1/models/m" + (target.isEmpty ? "" : "/\(target)")
            let answer = try process.send(method, path, body: body.isEmpty ? nil : Array(body.utf8))
            try #require(answer?.status == 200, "\(answer?.text ?? "cut")")
        }
    }

    /// A push of most parameters in all forms, with two values to vary.
    private static func push(_ last: (w: Float, y: Float), _ identity: String) -> [UInt8] {
        let base64 = [Float(5), last.y].withUnsafeBytes { Data($0).base64EncodedString() }
        return Array(
            #"{"gradients":{"w":[[1,2],[3,\#(last.w)]],"first":{"shape":[1],"data":[2]},"e":{"indices":[2,2],"values":[[1],[7]]},"#
                .utf8)
            + Array(#""y":{"dtype":"F32","shape":[2],"b64":"\#(base64)"}}\#(identity)}"#.utf8)
    }

    @Test("the same bytes get the receipt, and other values are refused", arguments: Change.allCases, [1, 11, Int.max])
    func retried(change: Change, pieces: Int) throws {
        let process = try InProcess()
        try #require(try process.send(.put, "/v1/models/m", body: Array(Self.definition.utf8))?.status == 201)
        try #require(try process.send(.post, "/v1/models/m/checkpoints")?.status == 201)
        let grown = #"{"add":{"y":[0,0]}}"#
        try #require(try process.send(.post, "/v1/models/m/parameters", body: Array(grown.utf8))?.status == 200)
        let named: [(name: String, value: String)] = [(name: "Idempotency-Key", value: "k")]
        let identities: [(String, [(name: String, value: String)])] = [(#","worker":"a","seq":1"#, []), ("", named)]
        let target = "/v1/models/m/gradients"
        func send(_ last: (w: Float, y: Float), _ place: Int) throws -> Answer {
            let (identity, headers) = identities[place]
            let answer = try process.send(
                .post, target, headers: headers, body: Self.push(last, identity), pieces: pieces)
            return try #require(answer)
        }
        let firsts = try identities.indices.map { try send((4, 6), $0) }
        try #require(firsts.map(\.status) == [200, 200], "\(firsts.map(\.text))")
        try change.send(to: process)
        let state = try process.send(.get, "/v1/models/m")?.text
        for (place, first) in firsts.enumerated() {
            let again = try send((4, 6), place)
            #expect(again.status == 200 && again.json["replayed"] as? Bool == true, "\(again.text)")
            #expect(again.json["version"] as? Int == first.json["version"] as? Int)
            for values: (w: Float, y: Float) in [(4.5, 6), (4, 6.5)] {
                let other = try send(values, place)
                #expect(other.status == 422 && other.json["type"] as? String == "/problems/key-reused", "\(other.text)")
            }
        }
        #expect(try process.send(.get, "/v1/models/m")?.text == state)
    }
}
