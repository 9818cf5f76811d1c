// base64, F16 and BF16: against Foundation, Float16 and the bits of the float corpus.

import Foundation
import Testing

@testable import TensorCoding

@Suite("Elements")
struct ElementTests {
    @Test("base64 agrees with Foundation for every length up to 100")
    func base64() {
        var generator = FixedGenerator(seed: 1)
        for length in 0...100 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            var text: [UInt8] = []
            bytes.withUnsafeBytes { Base64.encode($0, into: &text) }
            #expect(String(decoding: text, as: UTF8.self) == Data(bytes).base64EncodedString())
            #expect(text.count == Base64.encodedCount(of: length))
            #expect(Base64.decode(text) == bytes)
        }
    }

    @Test(
        "base64 abuse is refused",
        arguments: [
            "A", "AA", "AAA", "AAAAA", "=", "====", "A===", "AA=", "AA=A", "AAA=AAAA", "AA==AAAA", "AAA==", "AB==",
            "AAB=",
            "AA-_", "AA AA", "AAAA\n", " AAAA", "AAAA=", "AAAA==", "é===", "AA\u{0}A",
        ])
    func abuse(text: String) {
        #expect(Base64.decode(text.utf8) == nil)
    }

    @Test("base64 in pieces of any size gives the same bytes", arguments: 1...9)
    func pieces(size: Int) {
        let text = Array("AQIDBAUGBwgJCgsMDQ4PEA==".utf8)
        var decoder = Base64Decoder()
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: text.count, by: size) {
            var output = [UInt8](repeating: 0, count: 16)
            let count = text[start..<min(start + size, text.count)].withUnsafeBufferPointer { piece in
                output.withUnsafeMutableBufferPointer { decoder.decode(piece, into: $0.baseAddress!) }
            }
            bytes += output.prefix(count)
        }
        #expect(decoder.isComplete)
        #expect(bytes == Array(1...16))
    }

    @Test("nothing is decoded after a malformed character", arguments: [1, 3, 100])
    func afterMalformed(size: Int) throws {
        let text = #"{"gradients":{"w":{"dtype":"F32","b64":"AACAPwAA.AAACAPwAACAPwAA"}}}"#
        let body = try readBody(text, chunk: size)
        #expect(body.issues.map(\.kind) == [.base64])
        #expect(body.tensors[0].elementCount == 1)
    }

    @Test("every bfloat16 decodes to the float of its upper bits and encodes back")
    func bfloat16() {
        for bits in UInt16.min...UInt16.max {
            let value = BFloat16.decode(bits)
            #expect(value.bitPattern == UInt32(bits) << 16)
            if !value.isNaN {
                #expect(BFloat16.encode(value) == bits)
            } else {
                #expect(BFloat16.decode(BFloat16.encode(value)).isNaN)
            }
        }
    }

    @Test(
        "bfloat16 rounds to nearest, ties to even",
        arguments: [
            (0x3F80_8000, 0x3F80), (0x3F81_8000, 0x3F82), (0x3F80_8001, 0x3F81), (0x3F80_7FFF, 0x3F80),
            (0x7F7F_FFFF, 0x7F80),
            (0x0000_8000, 0x0000), (0x8001_8000, 0x8002),
        ] as [(UInt32, UInt16)])
    func rounding(bits: UInt32, wanted: UInt16) {
        #expect(BFloat16.encode(Float(bitPattern: bits)) == wanted)
    }

    @Test("float16 agrees with the float corpus both ways")
    func float16() throws {
        let lines = Corpus("float").lines("exhaustive-float16.txt")
        #expect(lines.count > 30_000)
        for line in lines {
            let bits = try #require(UInt16(line.prefix(4), radix: 16))
            let value = Float(bitPattern: try #require(UInt32(line.dropFirst(5).prefix(8), radix: 16)))
            let encoded = withUnsafePointer(to: value) {
                ElementType.float16.encode(UnsafeBufferPointer(start: $0, count: 1))
            }
            #expect(UInt16(encoded[0]) | UInt16(encoded[1]) << 8 == bits)
        }
    }

    /// The numbers were written by NumPy 2: `numpy.array([1, -2.5, 255, 0], dtype).tobytes().hex()`.
    @Test("every type that is sent has the bytes that NumPy gives it")
    func everyType() throws {
        let known: [ElementType: String] = [
            .float32: "0000803f000020c000007f4300000000", .float16: "003c00c1f85b0000", .bfloat16: "803f20c07f430000",
        ]
        #expect(Set(ElementType.pulled) == Set(known.keys), "a type that a pull can ask for has no case here")
        for (type, hex) in known {
            let bytes = [1, -2.5, 255, 0].withUnsafeBufferPointer { type.encode($0) }
            #expect(bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() == hex, "\(type)")
        }
    }

    /// The bytes of the row with which F64 would be pulled: to add it, change `reading` to `writing`, and nothing else.
    @Test("a row of doubles writes eight bytes for each value")
    func doubles() {
        let row = ElementRow(writing: Double.self, numpy: "<f8")
        var bytes = [UInt8](repeating: 0xAA, count: 16)
        bytes.withUnsafeMutableBytes { target in
            [1, -2.5].withUnsafeBufferPointer { row.write?($0, target.baseAddress!) }
        }
        #expect(row.size == 8)
        #expect(bytes == [0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0, 0, 0, 0, 0, 0, 0x04, 0xC0])
    }

    @Test("integers have the bytes of their type, and every type the size of its bits")
    func integerTypes() {
        let sizes: [ElementType: Int] = [
            .bool: 1, .uint8: 1, .int8: 1, .uint16: 2, .int16: 2, .uint32: 4, .int32: 4, .uint64: 8, .int64: 8,
            .float16: 2, .bfloat16: 2, .float32: 4, .float64: 8, .float8e5m2: 1, .float8e4m3: 1, .float8e8m0: 1,
            .complex64: 8,
        ]
        for type in ElementType.allCases {
            #expect(type.size == sizes[type], "\(type)")
            guard type.isInteger else { continue }
            let bytes = [1].withUnsafeBufferPointer { type.encode($0) }
            #expect(bytes == [1] + [UInt8](repeating: 0, count: type.size - 1), "\(type)")
        }
    }

    @Test(
        "all types cut at every byte give the same values",
        arguments: [ElementType.float16, .bfloat16, .float32, .float64])
    func cuts(type: ElementType) {
        let bytes: [UInt8] = (0..<48).map { UInt8($0 * 5 % 64) }
        func decode(by size: Int) -> [UInt32] {
            let sink = Recorder()
            var stream = ElementStream(type: type)
            var output = TensorOutput(.growing)
            for start in stride(from: 0, to: bytes.count, by: size) {
                bytes[start..<min(start + size, bytes.count)].withUnsafeBytes {
                    stream.decode($0, into: &output, sink: sink)
                }
            }
            #expect(stream.isWhole)
            return output.buffer?.values.map(\.bitPattern) ?? []
        }
        let whole = decode(by: 1000)
        #expect(whole.count == 48 / type.size)
        for size in 1...20 { #expect(decode(by: size) == whole) }
    }
}
