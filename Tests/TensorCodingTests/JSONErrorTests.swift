// Every refusal gives its place as an editor counts it and says what to change.

import Testing

@testable import TensorCoding

@Suite("JSON errors")
struct JSONErrorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var text: String
        var line: Int
        var column: Int
        var reason: JSONError.Reason
        var testDescription: String { text.debugDescription }

        init(_ text: String, _ line: Int, _ column: Int, _ reason: JSONError.Reason) {
            (self.text, self.line, self.column, self.reason) = (text, line, column, reason)
        }
    }

    static let cases: [Case] = [
        Case("", 1, 1, .empty),
        Case(" \n ", 2, 2, .empty),
        Case("{\"a\":", 1, 6, .truncated(inside: "an object")),
        Case("[1", 1, 3, .truncated(inside: "a number")),
        Case("[\"ab", 1, 5, .truncated(inside: "a string")),
        Case("{} x", 1, 4, .trailingBytes),
        Case("\u{FEFF}{}", 1, 1, .byteOrderMark),
        Case("{\"a\":1\u{0}}", 1, 7, .nul),
        Case("{\"a\\u0000b\":1}", 1, 9, .nul),
        Case("\"a\u{1}\"", 1, 3, .controlCharacter(1)),
        Case("\"\\x\"", 1, 3, .invalidEscape),
        Case("\"\\ud800x\"", 1, 8, .invalidEscape),
        Case("{\"gradients\":{\"w\":[1,\n NaN]}}", 2, 2, .notFinite),
        Case("{\"gradients\":{\"w\":[1,-Infinity]}}", 1, 23, .notFinite),
        Case("[nan]", 1, 3, .notFinite),
        Case("[True]", 1, 2, .invalidLiteral),
        Case("[01]", 1, 3, .invalidNumber),
        Case("[1.]", 1, 4, .invalidNumber),
        Case("{'a':1}", 1, 2, .unexpected(0x27, wanted: "write a key in double quotes")),
        Case("[1,]", 1, 4, .unexpected(0x5D, wanted: "write a value before it")),
        Case("{\"a\":1,}", 1, 8, .unexpected(0x7D, wanted: "remove the comma before it")),
        Case("{\"é\":1 2}", 1, 8, .unexpected(0x32, wanted: "put ',' or '}' after a value")),
        Case("[1e999]", 1, 7, .numberOutOfRange),
        Case("{\"a\":1,\n  \"a\":2}", 2, 6, .duplicateKey("a")),
        Case("{\"gradients\":{\"w\":[1,2,3],\n\"w\":4}}", 2, 4, .duplicateKey("w")),
        Case("{\"gradients\":{\"w\":{\"data\":1,\"data\":2}}}", 1, 36, .duplicateKey("data")),
        Case("{\"gradients\":{\"w\":{\"data\":1,\"x\":2,\"x\":3}}}", 1, 39, .duplicateKey("x")),
        Case("{\"gradients\":{\"w\":[1,2,3]},\n \"gradients\":{}}", 2, 13, .duplicateKey("gradients")),
    ]

    @Test("the place and the reason are right in any chunking", arguments: cases)
    func places(one: Case) {
        for size in [1, 2, 3, 1000] {
            let error = #expect(throws: JSONError.self) { try readBody(one.text, chunk: size) }
            #expect(error?.reason == one.reason)
            #expect(error?.position.line == one.line)
            #expect(error?.position.column == one.column, "chunks of \(size)")
        }
    }

    @Test("invalid UTF-8 is found inside strings and outside")
    func invalidUTF8() {
        for bytes: [UInt8] in [
            [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22],
        ] {
            let error = #expect(throws: JSONError.self) { try readBody(bytes) }
            #expect(error?.reason == .invalidUTF8)
        }
    }

    @Test("NaN comes with the hint to push safetensors")
    func hint() {
        let error = #expect(throws: JSONError.self) { try readBody("[NaN]") }
        #expect(
            error?.description == "line 1, column 2: NaN and Infinity are not JSON; push safetensors or drop the step")
    }

    @Test("the document beside the tensors is bounded, the tensors are not")
    func bounded() throws {
        let limits = JSONLimits(documentBytes: 100, tensors: 2)
        let numbers = [String](repeating: "1", count: 1000).joined(separator: ",")
        _ = try readBody("{\"gradients\":{\"w\":[\(numbers)]}}", limits: limits)
        let large = #expect(throws: JSONError.self) { try readBody("{\"x\":[\(numbers)]}", limits: limits) }
        #expect(large?.reason == .documentTooLarge(limit: 100))
        let many = #expect(throws: JSONError.self) {
            try readBody("{\"gradients\":{\"a\":1,\"b\":1,\"c\":1}}", limits: limits)
        }
        #expect(many?.reason == .tooManyTensors(limit: 2))
    }

    @Test("a string beside the tensors is bounded, one of a tensor is not")
    func boundedTexts() throws {
        for size in [1, 7, 100_000] {
            let fits = String(repeating: "x", count: 4096)
            #expect(try readBody("{\"a\":\"\(fits)\"}", chunk: size).document["a"]?.string == fits)
            for text in ["{\"a\":\"\(fits)x\"}", "[[\"\(fits)x\",1]]", "{\"gradients\":{\"w\":{\"a\":\"\(fits)x\"}}}"] {
                let error = #expect(throws: JSONError.self) { try readBody(text, chunk: size) }
                #expect(error?.reason == .textTooLong(limit: 4096))
            }
            let zeros = String(repeating: "AAAAAAAAAAAAAAAA", count: 512)
            let tensor = "{\"gradients\":{\"w\":{\"dtype\":\"F32\",\"shape\":[1536],\"b64\":\"\(zeros)\"}}}"
            #expect(try readBody(tensor, chunk: size).issues.isEmpty)
        }
    }

    @Test("the metadata of a file may hold long texts")
    func metadata() throws {
        let long = String(repeating: "x", count: 10_000)
        let header = try Array("{\"__metadata__\":{\"a\":\"\(long)\"}}".utf8).withUnsafeBytes {
            try SafetensorsHeader(parsing: $0)
        }
        #expect(header.metadata["a"] == long)
    }

    @Test("the limit of nesting is the deepest that is taken")
    func depth() throws {
        let limits = JSONLimits(depth: 3)
        #expect(try readBody("[[{}]]", limits: limits).document == .array([.array([.object([])])]))
        let error = #expect(throws: JSONError.self) { try readBody("[[{\"a\":[]}]]", limits: limits) }
        #expect(error?.reason == .tooDeep(limit: 3))
    }

    @Test("a document that the budget has no room for is refused before jansson sees it")
    func budget() {
        let sink = Recorder()
        sink.budget = 1000
        let error = #expect(throws: JSONError.self) { try readBody("[[],[],[],[],[],[]]", sink: sink) }
        #expect(error?.reason == .overBudget)
    }

    @Test("integers beyond 64 bits and the sign of zero survive")
    func exactNumbers() throws {
        let document = try JSONValue(
            parsing: "[9223372036854775807,-9223372036854775808,9223372036854775808,-0,0,1.0]".utf8)
        #expect(
            document
                == .array([
                    .integer(.max), .integer(.min), .real(9_223_372_036_854_775_808), .real(-0.0), .integer(0),
                    .real(1),
                ]))
        #expect(document[3]?.number?.sign == .minus)
    }
}
