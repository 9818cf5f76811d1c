import Names
import Testing

/// Pairs that `String` considers equal although their code points differ.
private let twins: [(String, String)] = [
    ("\u{e9}", "e\u{301}"), ("K", "\u{212a}"), ("\u{2126}", "\u{3a9}"), (";", "\u{37e}"), ("\u{212b}", "\u{c5}"),
    ("`", "\u{1fef}"),
]

@Suite("Names are their bytes")
struct NameTests {
    @Test("Two spellings are two names, in sets and in order")
    func spellings() {
        for (a, b) in twins {
            #expect(a == b)  // the reason for the type
            #expect(Name(a) != Name(b))
            #expect(Set([Name(a), Name(b)]).count == 2)
            #expect((Name(a) < Name(b)) != (Name(b) < Name(a)))
        }
    }

    @Test("Order is that of UTF-8", arguments: [["K", "e\u{301}", "\u{e9}", "\u{212a}", "\u{1f600}"]])
    func order(_ texts: [String]) {
        let sorted = texts.reversed().map { Name($0) }.sorted()
        #expect(sorted.map(\.text.unicodeScalars.first) == texts.map(\.unicodeScalars.first))
    }

    @Test("Suffixes, prefixes and words are found beside combining marks")
    func parts() {
        #expect(Name("w\u{600}#values").dropping(suffix: "#values") == Name("w\u{600}"))
        #expect(Name("\u{212a}").dropping(suffix: "K") == nil)
        #expect(Name("ab\u{301}").hasPrefix("ab"))
        #expect(!Name("\u{212a}b").hasPrefix("K"))
        #expect(Name("LayerNorm\u{301}").contains("Norm"))
        #expect(!Name("\u{212a}").contains("K"))
        #expect(Name("a/\u{301}~").pointerEscaped.unicodeScalars.elementsEqual("a~1\u{301}~0".unicodeScalars))
    }
}
