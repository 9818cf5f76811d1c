// Mistakes in tensors: the reader finds, places and counts them, and still reports a syntax error that follows.

import Testing

@testable import TensorCoding

@Suite("Tensor issues")
struct TensorIssueTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var tensor: String
        var kind: TensorIssue.Kind
        var pointer: String
        var testDescription: String { tensor }

        init(_ tensor: String, _ kind: TensorIssue.Kind, _ pointer: String) {
            (self.tensor, self.kind, self.pointer) = (tensor, kind, pointer)
        }
    }

    static let cases: [Case] = [
        Case("true", .notANumber, ""),
        Case("\"x\"", .notANumber, ""),
        Case("null", .notANumber, ""),
        Case("[1,true]", .notANumber, "/1"),
        Case("[[1,2],[3,null]]", .notANumber, "/1/1"),
        Case("[[1,2],[3,\"4\"]]", .notANumber, "/1/1"),
        Case("[1,{\"a\":[{}]},2]", .notANumber, "/1"),
        Case("[[1],[2,3]]", .ragged, ""),
        Case("[1,[2]]", .ragged, ""),
        Case("[[],[[]]]", .ragged, ""),
        Case("[1,[]]", .ragged, ""),
        Case("[0,3.5e38]", .beyondFloat32, "/1"),
        Case("[[0],[1e39]]", .beyondFloat32, "/1/0"),
        Case("1e400", .beyondFloat32, ""),
        Case("{\"shape\":[2,2],\"data\":[1,2,3]}", .shape, ""),
        Case("{\"shape\":[2],\"data\":[[1,2]]}", .shape, ""),
        Case("{\"shape\":[-1],\"data\":[1]}", .shape, "/shape/0"),
        Case("{\"shape\":[2.5],\"data\":[1]}", .shape, "/shape/0"),
        Case("{\"shape\":3,\"data\":[1]}", .shape, "/shape"),
        Case("{\"shape\":[4294967296,4294967296],\"data\":[1]}", .shape, ""),
        Case("{\"data\":{}}", .notANumber, "/data"),
        Case("{\"data\":[1,false]}", .notANumber, "/data/1"),
        Case("{\"dtype\":\"F32\",\"b64\":\"AACAPw=\"}", .base64, "/b64"),
        Case("{\"dtype\":\"F32\",\"b64\":\"AACA\"}", .base64, "/b64"),
        Case("{\"b64\":\"AACAPw==\"}", .elementType, ""),
        Case("{\"dtype\":\"I32\",\"b64\":\"AACAPw==\"}", .elementType, "/dtype"),
        Case("{\"dtype\":7,\"b64\":\"AACAPw==\"}", .elementType, "/dtype"),
        Case("{\"dtype\":\"F32\",\"b64\":[1]}", .base64, "/b64"),
        Case("{\"dtype\":\"F64\",\"b64\":\"////////738=\"}", .beyondFloat32, "/b64"),
        Case("{\"data\":[1],\"dtype\":\"F32\",\"b64\":\"AACAPw==\"}", .form, ""),
        Case("{\"indices\":[0,1.5],\"values\":[[1],[2]]}", .indices, "/indices/1"),
        Case("{\"indices\":[0],\"values\":[[1],[2]]}", .indices, ""),
        Case("{\"indices\":[0]}", .form, ""),
        Case("{\"indices\":[0],\"values\":[[1]],\"data\":[1]}", .form, ""),
    ]

    @Test("a mistake is one issue with its place, in any chunking", arguments: cases)
    func issues(one: Case) throws {
        for size in [1, 2, 5, 1000] {
            let body = try readBody("{\"gradients\":{\"a/b\":\(one.tensor),\"next\":[1,2]},\"seq\":3}", chunk: size)
            #expect(body.issueCount == 1, "\(body.issues)")
            #expect(body.issues.first?.kind == one.kind)
            #expect(body.issues.first?.pointer == "/gradients/a~1b" + one.pointer)
            #expect(body.tensors.last?.grown == [1, 2])
            #expect(body.document["seq"] == .integer(3))
        }
    }

    @Test(
        "a section that is not an object is an issue, and what follows is read",
        arguments: ["[1,[2]]", "null", "\"x\"", "3"])
    func section(value: String) throws {
        let body = try readBody("{\"gradients\":\(value),\"seq\":3}", chunk: 1)
        #expect(body.issues.map(\.pointer) == ["/gradients"])
        #expect(body.document == .object([JSONMember("gradients", .null), JSONMember("seq", .integer(3))]))
    }

    @Test("a member of the wrong type does not change how later strings are read", arguments: [1, 2, 1000])
    func laterStrings(chunk: Int) throws {
        let text = #"{"gradients":{"a":{"b64":[1]},"b":"abc","c":{"dtype":3},"d":4},"worker":"abc"}"#
        let body = try readBody(text, chunk: chunk)
        #expect(body.issues.map(\.pointer) == ["/gradients/a/b64", "/gradients/b", "/gradients/c/dtype"])
        #expect(body.tensors.map(\.name) == ["a", "b", "c", "d"])
        #expect(body.document["worker"] == .string("abc"))
    }

    @Test("a syntax error after an issue wins")
    func syntaxWins() {
        let error = #expect(throws: JSONError.self) { try readBody("{\"gradients\":{\"w\":[true,01]}}") }
        #expect(error?.reason == .invalidNumber)
    }

    @Test("only the first issues are described, all are counted")
    func counted() throws {
        let list = [String](repeating: "true", count: 500).joined(separator: ",")
        let body = try readBody("{\"gradients\":{\"w\":[\(list)]}}", limits: JSONLimits(issues: 3))
        #expect(body.issues.map(\.pointer) == ["/gradients/w/0", "/gradients/w/1", "/gradients/w/2"])
        #expect(body.issueCount == 500)
    }

    @Test("values past the end of the memory are counted, not stored", arguments: [1, 100, 100_000])
    func surplus(chunk: Int) throws {
        let sink = Recorder(["w": 3])
        let list = (0..<1000).map(String.init).joined(separator: ",")
        let body = try readBody("{\"gradients\":{\"w\":[\(list)]}}", chunk: chunk, sink: sink)
        #expect(sink.values("w") == [0, 1, 2])
        #expect(body.tensors[0].elementCount == 1000)
        #expect(body.tensors[0].shape == [1000])
    }

    @Test("what the budget refuses is an issue")
    func budget() throws {
        let list = (0..<10_000).map(String.init).joined(separator: ",")
        for tensor in ["[\(list)]", "{\"indices\":[\(list)],\"values\":[]}", "{\"indices\":[],\"values\":[\(list)]}"] {
            let sink = Recorder()
            sink.budget = 30_000
            let body = try readBody("{\"gradients\":{\"w\":\(tensor)}}", sink: sink)
            #expect(body.issues.map(\.kind).contains(.budget))
            #expect(sink.budget >= 0)
        }
    }

    @Test("NaN in base64 is reported, not refused")
    func notFinite() throws {
        let body = try readBody(
            #"{"gradients":{"w":{"dtype":"BF16","b64":"wH8="},"v":{"dtype":"F32","b64":"AACAfw=="}}}"#)
        #expect(body.issues.isEmpty)
        #expect(body.tensors.map(\.isFinite) == [false, false])
    }
}
