// safetensors: the verdicts of the reference implementation, hostile headers, and files written and read back.

import Foundation
import Names
import Testing

@testable import TensorCoding

/// Reads a file in chunks of `size` bytes.
func readFile(
    _ bytes: [UInt8], chunk size: Int = .max, sink: any TensorSink = Recorder(),
    limits: SafetensorsLimits = SafetensorsLimits()
) throws(SafetensorsError) -> SafetensorsBody {
    var reader = SafetensorsReader(sink: sink, limits: limits)
    var start = 0
    while start < bytes.count {
        let end = size > bytes.count - start ? bytes.count : start + size
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: end - start, alignment: 1)
        defer { chunk.deallocate() }
        chunk.copyBytes(from: bytes[start..<end])
        try reader.read(UnsafeRawBufferPointer(chunk))
        start = end
    }
    return try reader.finish()
}

/// A file of a header and data.
private func file(_ header: String, _ data: [UInt8] = []) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8) + data
}

@Suite("safetensors")
struct SafetensorsTests {
    static let corpus = Corpus("safetensors")

    @Test("verdicts agree with safetensors 0.8.0, except for a NUL in a name")
    func verdicts() {
        let lines = Self.corpus.lines("verdicts-safetensors-0.8.0.tsv").map { $0.split(separator: "\t") }
        #expect(lines.count == 21)
        for line in lines {
            let name = String(line[0])
            let bytes = Self.corpus.bytes(name)
            let wanted = line[1] == "accept" && name != "x_name_nul_ok.safetensors"
            for inPlace in [0, Int.max] {
                let limits = SafetensorsLimits(headerBytes: 100_000_000, headerInPlace: inPlace)
                for chunk in [1, 7, 1 << 20] {
                    let taken = (try? readFile(bytes, chunk: chunk, limits: limits)) != nil
                    #expect(taken == wanted, "\(name)")
                }
            }
        }
    }

    @Test("the empty file is sixteen bytes")
    func empty() throws {
        let bytes = SafetensorsHeader.encode([])
        #expect(bytes == [8, 0, 0, 0, 0, 0, 0, 0] + Array("{}      ".utf8))
        #expect(try readFile(bytes).tensors.isEmpty)
    }

    @Test("a header is written as the reference writes it")
    func written() {
        let bytes = SafetensorsHeader.encode(
            [("b", .float32, [2, 2]), ("a\"", .bfloat16, [3])], metadata: [("format", "pt")])
        let json =
            #"{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"#
            + #""a\"":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}}"#
        #expect(String(decoding: bytes.dropFirst(8), as: UTF8.self).trimmingCharacters(in: .whitespaces) == json)
        #expect(bytes.count % 8 == 0)
        #expect(Int(bytes[0]) | Int(bytes[1]) << 8 == bytes.count - 8)
    }

    @Test("all element types are converted to float32", arguments: [1, 3, 8, 1000])
    func conversions(chunk: Int) throws {
        var bytes = SafetensorsHeader.encode(
            [
                ("d", .float64, [1]), ("f", .float32, [2]), ("h", .float16, [2]), ("b", .bfloat16, [1]),
                ("z", .float32, [0, 3]), ("s", .float32, []),
            ],
            metadata: [("paramd.seq", "7")])
        bytes += withUnsafeBytes(of: 0.5) { Array($0) } + withUnsafeBytes(of: (Float(1), Float(-2))) { Array($0) }
        bytes += [0x00, 0x3C, 0x00, 0x7C] + [0xC0, 0x7F] + withUnsafeBytes(of: Float(3)) { Array($0) }
        let sink = Recorder(["f": 2])
        let body = try readFile(bytes, chunk: chunk, sink: sink)
        #expect(body.metadata == ["paramd.seq": "7"])
        #expect(body.tensors.map(\.name) == ["d", "f", "h", "b", "z", "s"])
        #expect(sink.values("f") == [1, -2])
        #expect(body.tensors[0].grown == [0.5])
        #expect(body.tensors[2].grown == [1, .infinity])
        #expect(body.tensors.map(\.isFinite) == [true, true, false, false, true, true])
        #expect(body.tensors.map(\.elementCount) == [1, 2, 2, 1, 0, 1])
        #expect(body.tensors[4].shape == [0, 3] && body.tensors[5].shape == [])
    }

    @Test(
        "values are known to be modest below 2^30, in pieces of any size",
        arguments: [
            ((0x1p30 as Float).nextDown, true), (-(0x1p30 as Float).nextDown, true), (0x1p30, false), (-0x1p30, false),
            (0x1p31, false),
            (Float.greatestFiniteMagnitude, false), (.infinity, false), (.nan, false), (0, true), (-0.0, true),
            (Float.leastNonzeroMagnitude, true),
        ] as [(Float, Bool)])
    func modesty(value: Float, isModest: Bool) throws {
        let bytes =
            SafetensorsHeader.encode([("f", .float32, [3]), ("g", .float32, [1])])
            + withUnsafeBytes(of: (Float(1), value, Float(2), Float(3))) { Array($0) }
        for chunk in [1, 7, 1000] {
            let tensors = try readFile(bytes, chunk: chunk).tensors
            #expect(tensors.map(\.isModest) == [isModest, true], "\(chunk)")
            #expect(tensors[0].isFinite == value.isFinite)
        }
    }

    @Test("sparse rows are one tensor, with I32 or I64 indices", arguments: [ElementType.int32, .int64])
    func rows(type: ElementType) throws {
        var bytes = SafetensorsHeader.encode([("e#indices", type, [2]), ("e#values", .float32, [2, 1])])
        for index in [5, 9] as [Int64] { bytes += withUnsafeBytes(of: index) { Array($0.prefix(type.size)) } }
        bytes += withUnsafeBytes(of: (Float(1), Float(2))) { Array($0) }
        for chunk in [1, 5, 1000] {
            let body = try readFile(bytes, chunk: chunk)
            #expect(body.issues.isEmpty)
            #expect(body.tensors.map(\.name) == ["e"])
            guard case .rows(let indices, let values)? = body.tensors.first?.content else {
                Issue.record("no rows")
                return
            }
            #expect(indices == [5, 9] && Array(values.values) == [1, 2])
        }
    }

    @Test("issues name the tensor")
    func issues() throws {
        var bytes = SafetensorsHeader.encode([
            ("e#indices", .float32, [1]), ("e#values", .float32, [1, 1]), ("i", .int64, [1]), ("d", .float64, [1]),
        ])
        bytes += [UInt8](repeating: 0, count: 16) + withUnsafeBytes(of: 1e300) { Array($0) }
        let body = try readFile(bytes)
        #expect(body.issues.map(\.kind) == [.indices, .elementType, .beyondFloat32, .indices])
        #expect(body.issues.map(\.pointer) == ["/e#indices", "/i", "/d", "/e#values"])
    }

    @Test(
        "hostile headers are refused without an allocation of their size",
        arguments: [
            [UInt8](), [1, 2, 3], [0, 0, 0, 0, 0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], file(" {}"), file("[]"), file("{}x"), file("{}", [0]),
            file("{\"a\":1}"),
            file(#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, [0, 0, 0]),
            file(#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, [0, 0, 0, 0, 0]),
            file(#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#),
            file(#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, [UInt8](repeating: 0, count: 8)),
            file(#"{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}"#, [0, 0, 0, 0]),
            file(#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, [0, 0, 0, 0]),
            file(#"{"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}}"#, [0, 0, 0, 0]),
            file(#"{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}"#),
            file(#"{"a":{"dtype":"F32","shape":[9223372036854775807,0,9223372036854775807],"data_offsets":[0,0]}}"#),
            file(#"{"__metadata__":{"a":1}}"#), file(#"{"__metadata__":[]}"#), file(#"{"a":{},"a":{}}"#),
            file(#"{"__metadata__":{"a":"1","a":"2"}}"#), file(#"{"__metadata__":{},"__metadata__":{}}"#),
            file(#"{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}"#, [0]),
            file(#"{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}"#),
            file(#"{"a":{"dtype":"U8","shape":[1,],"data_offsets":[0,1]}}"#, [0]),
            file(#"{"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}}"#, [0]),
            file(#"{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,1]}}"#, [0]),
            file(#"{"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}}"#, [0]),
            file(#"{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"b":{"c":1,"c":2}}}"#, [0]),
            file(#"{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"b":1e309}}"#, [0]),
            file(#"{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"b":[[[]]]}}"#, [0]),
        ])
    func hostile(bytes: [UInt8]) {
        for chunk in [1, 1000] {
            let error = #expect(throws: SafetensorsError.self) { try readFile(bytes, chunk: chunk) }
            #expect(error?.description.isEmpty == false)
        }
    }

    @Test("members that the format does not know are ignored")
    func unknownMembers() throws {
        let long = String(repeating: "x", count: 10_000)
        let members = #""b":{"c":[1,-0,1e308,99999999999999999999],"d":null},"e":"\#(long)","f":true"#
        let header = #"{"a":{"g":"","shape":[1,1],\#(members),"dtype":"U8","data_offsets":[0,1]}}"#
        let read = try Array(header.utf8).withUnsafeBytes { try SafetensorsHeader(parsing: $0) }
        let entry = try #require(read.entries.first)
        #expect(entry.name == "a" && entry.type == .uint8 && entry.shape == [1, 1] && entry.range == 0..<1)
    }

    @Test(
        "sizes are read up to 64 bits",
        arguments: ["999999999999999999", "1000000000000000000", "9223372036854775807", "9223372036854775808"])
    func longSizes(size: String) {
        let header = #"{"a":{"dtype":"U8","shape":[\#(size),0],"data_offsets":[0,0]}}"#
        let read = Array(header.utf8).withUnsafeBytes { bytes in
            Result { () throws(SafetensorsError) in try SafetensorsHeader(parsing: bytes).entries.map(\.shape) }
        }
        #expect(read == (Int(size).map { .success([[$0, 0]]) } ?? .failure(.entry(name: "a"))))
    }

    @Test("an error of the JSON counts more than a mistake before it")
    func precedence() {
        for (rest, isJSON) in [("}", false), (#","b":{"c":1,"c":2}}"#, true), (#","b":tru}"#, true), ("", true)] {
            let error = #expect(throws: SafetensorsError.self) { try readFile(file(#"{"a":{}"# + rest)) }
            if case .header = error { #expect(isJSON) } else { #expect(!isJSON && error == .entry(name: "a")) }
        }
    }

    @Test("the memory of a header is asked for before it is used")
    func budget() {
        let tensors = (0..<100).map { #""t\#($0)":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"# }
        let header = "{\(tensors.joined(separator: ","))}"
        for (budget, isEnough) in [(4 * header.utf8.count, false), (400_000, true)] {
            let sink = Recorder()
            sink.budget = budget
            let read = Result { () throws(SafetensorsError) in try readFile(file(header), sink: sink).tensors.count }
            #expect(read == (isEnough ? .success(100) : .failure(.overBudget)))
        }
    }

    @Test("a call of `read` begins as many tensors as the limit says, and `work` the rest", arguments: [1, 8, 300])
    func manyTensors(limit: Int) throws {
        let tensors = (0..<300).map { ("t\($0)", ElementType.float32, $0 % 3 == 2 ? [0] : [1]) }
        var bytes = SafetensorsHeader.encode(tensors.map { (Name($0.0), $0.1, $0.2) })
        for index in 0..<300 where index % 3 != 2 { bytes += withUnsafeBytes(of: Float(index)) { Array($0) } }
        let whole = try readFile(bytes)
        for chunk in [1, 64, 100_000] {
            var reader = SafetensorsReader(sink: Recorder(), limits: SafetensorsLimits(tensorsInPlace: limit))
            var works = 0
            for start in stride(from: 0, to: bytes.count, by: chunk) {
                try bytes[start..<min(start + chunk, bytes.count)].withUnsafeBytes { try reader.read($0) }
                guard reader.hasLongWork else { continue }
                works += 1
                try reader.work()
                let isDue = reader.hasLongWork
                #expect(!isDue)
            }
            #expect((works > 0) == (limit < 2 || chunk > 1 && limit < 300))
            let body = try reader.finish()
            #expect(body.tensors.map(\.name) == whole.tensors.map(\.name))
            #expect(body.tensors.map(\.grown) == whole.tensors.map(\.grown))
        }
    }

    @Test("a file cut anywhere is truncated, and says how much is missing")
    func truncated() {
        let bytes =
            SafetensorsHeader.encode([("a", .float32, [2]), ("b", .float16, [1]), ("c", .float16, [1])])
            + [UInt8](repeating: 0, count: 12)
        for count in bytes.indices {
            #expect(throws: SafetensorsError.self) { try readFile(Array(bytes[..<count])) }
        }
        let error = #expect(throws: SafetensorsError.self) { try readFile(Array(bytes.dropLast(5))) }
        #expect(error == .truncated(missing: 5))
        let earlier = #expect(throws: SafetensorsError.self) { try readFile(Array(bytes.dropLast(9))) }
        #expect(earlier == .truncated(missing: 9))
    }

    @Test(
        "the head of an npy file is what NumPy writes",
        arguments: [
            ([2, 3], "(2, 3)"), ([3], "(3,)"), ([], "()"), ([1000, 1000, 10], "(1000, 1000, 10)"),
        ])
    func npy(shape: [Int], text: String) {
        let bytes = NPY.header(shape: shape, descriptor: "<f4")
        #expect(bytes.count % 64 == 0)
        #expect(Array(bytes.prefix(8)) == [0x93] + Array("NUMPY".utf8) + [1, 0])
        #expect(Int(bytes[8]) | Int(bytes[9]) << 8 == bytes.count - 10)
        let dictionary = String(decoding: bytes.dropFirst(10), as: UTF8.self)
        #expect(dictionary.hasPrefix("{'descr': '<f4', 'fortran_order': False, 'shape': \(text), }"))
        #expect(dictionary.hasSuffix("\n"))
    }
}
