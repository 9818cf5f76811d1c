// Numbers against bits that other programs computed, and against the C library on adversarial numbers.

import Foundation
import Testing

@testable import TensorCoding

@Suite("Numbers from text")
struct FloatCorpusTests {
    static let corpus = Corpus("float")
    /// Whether `text` is a number by RFC 8259, section 6.
    static func isNumber(_ text: Substring) -> Bool {
        var rest = Array(text.utf8)[...]
        func digits() -> Int {
            let count = rest.prefix { (0x30...0x39).contains($0) }.count
            rest = rest.dropFirst(count)
            return count
        }
        func take(_ characters: String) -> Bool {
            guard let next = rest.first, characters.utf8.contains(next) else { return false }
            rest = rest.dropFirst()
            return true
        }
        _ = take("-")
        let startsWithZero = rest.first == UInt8(ascii: "0")
        let whole = digits()
        guard whole == 1 || whole > 1 && !startsWithZero else { return false }
        if take("."), digits() == 0 { return false }
        if take("eE") {
            _ = take("+-")
            if digits() == 0 { return false }
        }
        return rest.isEmpty
    }

    /// The corpus' texts that are JSON numbers, with the bits of the nearest float32.
    static let cases: [(text: Substring, bits: UInt32)] = corpus.names(".txt").flatMap { name in
        corpus.lines(name).compactMap { line in
            let text = line.dropFirst(31)
            guard isNumber(text), let bits = UInt32(line.dropFirst(5).prefix(8), radix: 16) else {
                return nil
            }
            return (text, bits)
        }
    }

    /// Reads numbers as one tensor.
    private func read(_ texts: [some StringProtocol], separator: String, chunk: Int) throws -> ([UInt32], JSONBody) {
        let body = try readBody(
            #"{"gradients":{"w":["# + texts.joined(separator: separator) + "]}}", chunk: chunk,
            limits: JSONLimits(issues: 100_000))
        return (body.tensors[0].grown.map(\.bitPattern), body)
    }

    @Test("every text of the corpus becomes the nearest float32", arguments: [1, 7, 64, 1000, Int.max])
    func corpus(chunk: Int) throws {
        let cases = Self.cases
        #expect(cases.count > 50_000)
        let (bits, body) = try read(cases.map(\.text), separator: ",", chunk: chunk)
        #expect(bits.count == cases.count)
        let wrong = zip(bits, cases).filter { $0 != $1.bits }
        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
        let infinite = cases.filter { $0.bits & 0x7FFF_FFFF == 0x7F80_0000 }.count
        #expect(body.issueCount == infinite)
        #expect(body.issues.allSatisfy { $0.kind == .beyondFloat32 })
    }

    @Test("texts that are not JSON numbers are refused")
    func otherTexts() {
        let texts = Self.corpus.names(".txt").flatMap(Self.corpus.lines).map { $0.dropFirst(31) }
        for text in Set(texts) where !Self.isNumber(text) {
            #expect(throws: JSONError.self, "\(text)") { try read([text], separator: ",", chunk: .max) }
        }
    }

    @Test("midpoints of two floats and their neighbours are rounded as strtof does")
    func midpoints() throws {
        var generator = FixedGenerator(seed: 7)
        var texts: [String] = []
        for _ in 0..<30_000 {
            let value = Float(bitPattern: UInt32.random(in: 1..<0x7F7F_FFFF, using: &generator))
            // Exact in double, and printed with enough digits to be exact.
            let middle = (Double(value) + Double(value.nextUp)) / 2
            let digits = Int.random(in: 7...30, using: &generator)
            texts.append(String(format: "%.\(digits)e", middle))
            texts.append(String(format: "%.17g", middle.nextUp))
            texts.append(String(format: "%.17g", middle.nextDown))
        }
        let (bits, _) = try read(texts, separator: ", ", chunk: 4096)
        let wrong = zip(bits, texts).filter { $0 != strtof($1, nil).bitPattern }
        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
    }

    @Test("every printed float32 is read back to its bits", arguments: [FloatStyle.shortest, .seventeen, .exponent])
    func roundTrips(style: FloatStyle) throws {
        var generator = FixedGenerator(seed: 11)
        let values = (0..<100_000).map { _ in
            Float(bitPattern: UInt32.random(in: 0..<0x7F80_0000, using: &generator))
        }
        let (bits, _) = try read(values.map(style.print), separator: ",", chunk: 65_536)
        #expect(bits == values.map(\.bitPattern))
    }

    enum FloatStyle: Sendable {
        case shortest, seventeen, exponent

        func print(_ value: Float) -> String {
            switch self {
            case .shortest: value.description
            case .seventeen: String(format: "%.17g", Double(value))
            case .exponent: String(format: "%.8E", Double(value))
            }
        }
    }

    @Test("digits beyond the hundredth still decide a midpoint")
    func longTails() throws {
        // 1 + 2^-24 is the midpoint of 1 and its successor; ties go to the even one.
        let middle = "1.000000059604644775390625"
        let zeros = String(repeating: "0", count: 5000)
        let texts = [middle, middle + zeros, middle + zeros + "1", "0." + zeros + "1e5001", "1" + zeros + "e-5000"]
        let (bits, _) = try read(texts, separator: ",", chunk: 100)
        #expect(bits == [0x3F80_0000, 0x3F80_0000, 0x3F80_0001, 0x3F80_0000, 0x3F80_0000])
    }

    @Test("an exponent of any length neither overflows nor takes long")
    func longExponents() throws {
        let nines = String(repeating: "9", count: 40)
        let (bits, body) = try read(
            ["1e-\(nines)", "0e\(nines)", "-0e\(nines)", "1e\(nines)"], separator: ",", chunk: 9)
        #expect(bits == [0, 0, 0x8000_0000, 0x7F80_0000])
        #expect(body.issues.map(\.pointer) == ["/gradients/w/3"])
    }
}
