// Numbers on the wire: what is accepted, and what lenient parsers would let pass.

import Testing

@testable import HTTPServing

@Suite("Numbers on the wire")
struct WholeNumberTests {
    /// Texts that Swift's, C's or Python's readers accept, each some of them.
    static let lenient = [
        "", "+1", "-1", "-0", " 1", "1 ", "1_000", "0x1", "1e3", "0b1", "\u{FF11}", "\u{0661}", "1\u{20E3}", "1\u{301}",
        "nan", "inf", "1,0", "1\0",
    ]

    @Test("digits and nothing else", arguments: lenient)
    func refused(text: String) {
        #expect(Int(digits: text) == nil)
        #expect(Int(clampingDigits: text) == nil)
        #expect(Double(decimalDigits: text) == nil)
    }

    @Test("what is a number", arguments: [("0", 0), ("007", 7), ("9223372036854775807", Int.max)])
    func taken(text: String, number: Int) {
        #expect(Int(digits: text) == number)
        #expect(Int(clampingDigits: text) == number)
    }

    @Test("one that does not fit is refused, or taken as the largest")
    func large() {
        for text in ["9223372036854775808", String(repeating: "9", count: 30)] {
            #expect(Int(digits: text) == nil)
            #expect(Int(clampingDigits: text) == .max)
        }
    }

    @Test("a fraction has digits on both sides of one point")
    func fractions() {
        #expect(Double(decimalDigits: "0.5") == 0.5)
        #expect(Double(decimalDigits: "30") == 30)
        for text in [".5", "1.", "1.2.3", ".", "1.+5", "0x1.8p1"] { #expect(Double(decimalDigits: text) == nil) }
    }
}
