// Numbers in place of integers: values within the type and float32 are accepted; every other value is an issue with its
// place, in any chunking. The limits are those of two's complement and of IEEE 754.

import Names
import Testing

@testable import TensorCoding

/// A sink whose tensors consist of integers.
private final class IntegerSink: TensorSink {
    let use: IntegerUse

    init(_ use: IntegerUse) { self.use = use }

    func destination(for name: Name, in section: Name) -> TensorDestination { .growing }
    func integers(for name: Name) -> IntegerUse { use }
    func allowGrowth(bytes: Int) -> Bool { true }
}

@Suite("Integers")
struct IntegerTests {
    private func issues(_ tensor: String, _ use: IntegerUse) throws -> [[TensorIssue]] {
        try [1, 2, 7, 1000].map { size in
            try readBody("{\"parameters\":{\"a\":\(tensor)}}", chunk: size, sink: IntegerSink(use)).issues
        }
    }

    @Test(
        "numbers that are taken, however they are written",
        arguments: [
            "[0,1,-0,1.0,10e-1,0.1e1]", "{\"dtype\":\"I64\",\"data\":[-9223372036854775808,16777216,1e10]}",
            "{\"data\":[16777215,-3,2.00],\"dtype\":\"I32\"}", "{\"dtype\":\"U64\",\"data\":[9223372036854775808]}",
            "{\"data\":[0,1],\"dtype\":\"BOOL\"}", "[0.25,1e-3]",
        ])
    func taken(tensor: String) throws {
        for found in try issues(tensor, .taken) { #expect(found.isEmpty, "\(found)") }
    }

    struct Case: Sendable {
        var tensor: String
        var use: IntegerUse
        var pointer: String
        var words: String

        init(_ tensor: String, _ use: IntegerUse, _ pointer: String, _ words: String) {
            (self.tensor, self.use, self.pointer, self.words) = (tensor, use, pointer, words)
        }
    }

    static let strays = [
        Case("[[0,1],[1,2]]", .wanted(.bool), "/1/1", "contains 2 at [1,1], which does not fit BOOL; send 0 or 1"),
        Case("[1,1.000000000000000000000001]", .wanted(.int8), "/1", "contains 1.000000000000000000000001 at [1]"),
        Case("[16777217]", .wanted(.int64), "/0", "contains 16777217 at [0], which would be rounded"),
        Case("9223372036854775807", .wanted(.int64), "", "contains 9223372036854775807, which would be rounded"),
        Case("[9223372036854775808]", .wanted(.int64), "/0", "which does not fit I64"),
        Case("[0.05]", .wanted(.uint8), "/0", "contains 5.0e-2 at [0], which does not fit U8"),
        Case("[0.5]", .wanted(.uint8), "/0", "contains 0.5 at [0]"),
        Case("[2.5]", .wanted(.uint8), "/0", "contains 2.5 at [0]"),
        Case("[1e20]", .wanted(.uint64), "/0", "contains 1.0e20 at [0], which does not fit U64"),
        Case("[[1],[1e39]]", .refused, "/1/0", "contains 1.0e39 at [1,0], which is too large for float32; send"),
        Case("{\"dtype\":\"F64\",\"b64\":\"////////738=\"}", .refused, "/b64", "at [0], which is too large"),
        Case("[-1]", .wanted(.uint16), "/0", "contains -1 at [0], which does not fit U16; send whole numbers from 0"),
        Case(
            "{\"dtype\":\"I8\",\"data\":[[1],[128]]}", .taken, "/data/1/0",
            "contains 128 at [1,0], which does not fit I8"),
        Case(
            "{\"data\":[[1],[128]],\"dtype\":\"I8\"}", .taken, "/data", "contains 128 at [1,0], which does not fit I8"),
        Case("{\"data\":[1,1.0001],\"dtype\":\"I8\"}", .taken, "/dtype", "write `dtype` before `data` in `a`"),
        Case("{\"data\":[1,1e0],\"dtype\":\"I8\"}", .taken, "/dtype", "write `dtype` before `data`"),
        Case("{\"dtype\":\"I64\",\"data\":[300]}", .wanted(.uint8), "/data/0", "which does not fit U8"),
        Case("{\"data\":[200],\"dtype\":\"I8\"}", .wanted(.uint8), "/data", "which does not fit I8"),
        Case(
            "{\"dtype\":\"BOOL\",\"shape\":[2],\"b64\":\"AQc=\"}", .taken, "/b64",
            "contains 7 at [1], which does not fit BOOL"),
        Case("{\"b64\":\"AQc=\",\"dtype\":\"BOOL\"}", .taken, "/b64", "contains 7 at [1], which does not fit BOOL"),
        Case(
            "{\"dtype\":\"F32\",\"b64\":\"AAAgQA==\"}", .wanted(.int64), "/b64",
            "contains 2.5 at [0], which does not fit I64"),
    ]

    @Test("numbers that are not, and their places", arguments: strays)
    func stray(one: Case) throws {
        for found in try issues(one.tensor, one.use) {
            #expect(found.count == 1 && found.first?.pointer == "/parameters/a" + one.pointer, "\(found)")
            #expect(found.first?.detail.contains(one.words) ?? false, "\(found)")
        }
    }

    @Test("a tensor of an unknown type is an issue if such tensors are skipped", arguments: [1, 3, 1000])
    func unknownType(chunk: Int) throws {
        let header = """
            {"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}
            """
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init)
        let bytes = length + header.utf8 + [0x22, 7, 9]
        var reader = SafetensorsReader(sink: IntegerSink(.taken), limits: .init(passesUnknownTypes: true))
        var start = 0
        while start < bytes.count {
            let end = min(start + chunk, bytes.count)
            try bytes[start..<end].withUnsafeBytes { try reader.read($0) }
            start = end
        }
        let body = try reader.finish()
        #expect(body.issues.map(\.pointer) == ["/a"] && body.issues[0].detail.contains("the dtype F4"))
        #expect(body.tensors.map(\.isRead) == [false, true] && body.tensors[1].grown == [7, 9])
        #expect(throws: SafetensorsError.unknownType(name: "a", type: "F4")) {
            var strict = SafetensorsReader(sink: IntegerSink(.taken))
            try bytes.withUnsafeBytes { try strict.read($0) }
        }
    }
}
