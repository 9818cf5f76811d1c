// The writer's output: shortest numbers, escapes, layout. The standard library's printing is the reference.

import Foundation
import Testing

@testable import TensorCoding

@Suite("Writing JSON")
struct WritingTests {
    private func text(of value: Float) -> String {
        var writer = JSONWriter()
        writer.number(value)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test(
        "numbers are laid out as JavaScript does",
        arguments: [
            (1, "1"), (-2.5, "-2.5"), (0, "0"), (-0.0, "-0.0"), (0.1, "0.1"), (1e-6, "0.000001"), (1.5e-7, "1.5e-7"),
            (1e20, "100000000000000000000"), (1e21, "1e+21"), (16_777_216, "16777216"),
            (.greatestFiniteMagnitude, "3.4028235e+38"),
            (.leastNonzeroMagnitude, "1e-45"), (123_456_792, "123456790"), (.nan, "null"), (-.infinity, "null"),
        ] as [(Float, String)])
    func layout(value: Float, wanted: String) {
        #expect(text(of: value) == wanted)
    }

    @Test(
        "doubles too",
        arguments: [
            (0.1, "0.1"), (1e21, "1e+21"), (123_456_789.125, "123456789.125"), (.leastNonzeroMagnitude, "5e-324"),
            (1e-7, "1e-7"),
            (9_007_199_254_740_992, "9007199254740992"), (-0.0, "-0.0"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
        ] as [(Double, String)])
    func doubles(value: Double, wanted: String) {
        var writer = JSONWriter()
        writer.number(value)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == wanted)
    }

    /// The digits and exponent of a decimal text, without trailing zeros.
    private func decimal(_ text: String) -> (digits: UInt64, exponent: Int) {
        let parts = text.split(separator: "e")
        let fraction = parts[0].split(separator: ".")
        var digits = UInt64(fraction.joined()) ?? 0
        var exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) - (fraction.count > 1 ? fraction[1].count : 0)
        while digits % 10 == 0, digits > 0 { (digits, exponent) = (digits / 10, exponent + 1) }
        return (digits, exponent)
    }

    private func agrees(_ value: Float) -> Bool {
        let wanted = decimal(value.description)
        var (digits, exponent) = ShortestFloat.decimal(of: value)
        while digits % 10 == 0 { (digits, exponent) = (digits / 10, exponent + 1) }
        return UInt64(digits) == wanted.digits && exponent == wanted.exponent
    }

    @Test("every power of two, with its neighbours, prints as the standard library has it")
    func powersOfTwo() {
        for bits in stride(from: UInt32(0), to: 0x7F80_0000, by: 0x0080_0000) {
            for near in -2...2 {
                let value = Float(bitPattern: UInt32(max(1, Int(bits) + near)))
                #expect(agrees(value), "\(value)")
            }
        }
        for shift in 0..<23 { #expect(agrees(Float(bitPattern: 1 << UInt32(shift)))) }
    }

    @Test("every power of ten, with its neighbours, prints as the standard library has it")
    func powersOfTen() {
        for exponent in -45...38 {
            guard let value = Float("1e\(exponent)"), value > 0 else { continue }
            for near in [value.nextDown, value, value.nextUp] where near > 0 { #expect(agrees(near), "\(near)") }
        }
    }

    @Test("200,000 random floats print as the standard library has them")
    func randomFloats() {
        var generator = FixedGenerator(seed: 3)
        var wrong: [Float] = []
        for _ in 0..<200_000 {
            let value = Float(bitPattern: UInt32.random(in: 1..<0x7F80_0000, using: &generator))
            if !agrees(value) { wrong.append(value) }
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
    }

    @Test("printed floats read back to the same bits")
    func readBack() throws {
        var generator = FixedGenerator(seed: 5)
        let values =
            (0..<50_000).map { _ in Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &generator)) }
            .filter(\.isFinite) + [0, -0.0]
        for indented in [false, true] {
            var writer = JSONWriter(indented: indented)
            values.withUnsafeBufferPointer { writer.numbers($0) }
            let sink = Recorder(["w": values.count])
            let body = try readBody(
                Array("{\"gradients\":{\"w\":".utf8) + writer.finish() + Array("}}".utf8), sink: sink)
            #expect(body.issues.isEmpty)
            #expect(sink.values("w").map(\.bitPattern) == values.map(\.bitPattern))
        }
    }

    private func document(indented: Bool) -> String {
        var writer = JSONWriter(indented: indented)
        writer.beginObject()
        writer.key("a\"\n\u{1}é")
        writer.string("\\/\t")
        writer.key("empty")
        writer.beginObject()
        writer.endObject()
        writer.key("data")
        [Float(1), 2.5].withUnsafeBufferPointer { writer.numbers($0) }
        writer.key("list")
        writer.value(.array([.integer(1), .real(0.5)]))
        writer.key("mixed")
        writer.value(.array([.null, .bool(true), .array([])]))
        writer.endObject()
        return String(decoding: writer.finish(), as: UTF8.self)
    }

    @Test("compact output has no white space but the newline at its end")
    func compact() {
        #expect(
            document(indented: false)
                == #"{"a\"\n\u0001é":"\\/\t","empty":{},"data":[1,2.5],"list":[1,0.5],"mixed":[null,true,[]]}"# + "\n")
    }

    @Test("indented output keeps arrays of numbers on one line")
    func indented() {
        #expect(
            document(indented: true) == #"""
                {
                  "a\"\n\u0001é": "\\/\t",
                  "empty": {},
                  "data": [1, 2.5],
                  "list": [1, 0.5],
                  "mixed": [
                    null,
                    true,
                    []
                  ]
                }

                """#)
    }

    @Test("a document survives writing and reading")
    func roundTrip() throws {
        let text = #"{"z":1,"a":[1.5,{"k":null}],"s":"\u0000\ud83d\ude00","big":1e300}"#
        let value = try JSONValue(parsing: text.utf8)
        var writer = JSONWriter()
        writer.value(value)
        #expect(try JSONValue(parsing: writer.finish()) == value)
        #expect(value.members?.map(\.key) == ["z", "a", "s", "big"])
    }

    @Test("a document taken in pieces is the same, wherever it is cut", arguments: [false, true])
    func pieces(indented: Bool) {
        let values = (0..<1000).map { Float($0) / 7 }
        let bytes = (0..<999).map { UInt8(truncatingIfNeeded: $0) }
        var writer = JSONWriter(indented: indented)
        var written: [UInt8] = []
        writer.beginObject()
        writer.key("numbers")
        writer.beginList("[")
        for start in stride(from: 0, to: 1000, by: 300) {
            values[start..<min(start + 300, 1000)].withUnsafeBufferPointer { writer.list($0, isFirst: start == 0) }
            written += writer.take()
        }
        writer.endList("]")
        writer.key("integers")
        writer.beginList("[")
        for start in [0, 4, 8] { writer.list(integers: start..<start + 4, isFirst: start == 0) }
        writer.endList("]")
        writer.key("text")
        writer.beginList("\"")
        for start in stride(from: 0, to: 999, by: 333) {
            bytes[start..<start + 333].withUnsafeBytes { writer.list(base64: $0) }
            written += writer.take()
        }
        writer.endList("\"")
        writer.endObject()
        writer.endDocument()
        written += writer.take()
        let space = indented ? " " : ""
        let (open, next, close) = indented ? ("{\n  ", ",\n  ", "\n}\n") : ("{", ",", "}\n")
        let numbers = values.map { text(of: $0) }.joined(separator: ",\(space)")
        let integers = (0..<12).map(String.init).joined(separator: ",\(space)")
        #expect(
            String(decoding: written, as: UTF8.self) == """
                \(open)"numbers":\(space)[\(numbers)]\(next)"integers":\(space)[\(integers)]\(next)"text":\(space)"\
                \(Data(bytes).base64EncodedString())"\(close)
                """)
        #expect(writer.take().isEmpty)
    }
}
