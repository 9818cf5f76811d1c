// Searching names: the fast methods find the same names as the simple methods, among names that differ little.

import Names
import Testing

@testable import Optimizers

@Suite("Searching names")
struct NameSearchTests {
    /// Every text of up to four of these characters: two letters, one of two bytes and one of four.
    private static let texts: [String] = {
        let letters = ["a", "b", "\u{e9}", "\u{1F600}"]
        var (all, last) = ([""], [""])
        for _ in 0..<4 {
            last = last.flatMap { text in letters.map { text + $0 } }
            all += last
        }
        return all
    }()

    /// The meaning of a pattern, by its definition.
    private static func matches(_ pattern: ArraySlice<Unicode.Scalar>, _ text: ArraySlice<Unicode.Scalar>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == "*" {
            return matches(pattern.dropFirst(), text) || (!text.isEmpty && matches(pattern, text.dropFirst()))
        }
        guard let next = text.first, first == "?" || first == next else { return false }
        return matches(pattern.dropFirst(), text.dropFirst())
    }

    @Test("a glob matches what its definition says")
    func globs() {
        let patterns = Self.texts.prefix(85).flatMap { text in
            [text, "*\(text)", "\(text)*", "?\(text)", "\(text)?", "a*\(text)*", "*?\(text)?*", "*\(text)**b"]
        }
        for pattern in patterns {
            let glob = Glob(Name(pattern))
            for text in Self.texts {
                let expected = Self.matches(Array(pattern.unicodeScalars)[...], Array(text.unicodeScalars)[...])
                #expect(glob.matches(Name(text)) == expected, "\(pattern) \(text)")
            }
        }
    }

    @Test("a glob of several words too", arguments: [62, 63, 64, 65, 127, 128, 129, 200])
    func longGlobs(count: Int) {
        let run = String(repeating: "a", count: count)
        #expect(Glob(Name(run)).matches(Name(run)))
        #expect(!Glob(Name(run)).matches(Name(run + "a")) && !Glob(Name(run)).matches(Name(String(run.dropLast()))))
        #expect(Glob(Name("*\(run)b")).matches(Name("\(run)\(run)b")))
        #expect(!Glob(Name("*\(run)b*")).matches(Name("\(run)\(run)")))
        #expect(Glob(Name("\(run)*")).matches(Name("\(run)\(run)")))
        let unknown = String(repeating: "?", count: count)
        #expect(Glob(Name("\(unknown)b")).matches(Name("\(String(repeating: "\u{1F600}", count: count))b")))
        #expect(!Glob(Name("\(unknown)b")).matches(Name("\(String(repeating: "\u{1F600}", count: count + 1))b")))
    }

    /// Levenshtein's table, cell by cell.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let replaced = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }

    @Test("the distance of two spellings is Levenshtein's, without case, of the first 64 bytes")
    func distances() {
        var generator = SystemRandomNumberGenerator()
        for count in 0..<300 {
            let words = (0..<2).map { _ in
                (0..<Int.random(in: 0...(count / 3), using: &generator)).map { _ in "abcXY_".utf8.randomElement() ?? 0 }
            }
            let expected = Self.distance(
                words[0].prefix(64).map(\.lowercased), words[1].prefix(64).map(\.lowercased))
            let names = words.map { Name(String(decoding: $0, as: UTF8.self)) }
            #expect(SpellingDistance(from: names[0]).distance(to: names[1]) == expected, "\(names)")
        }
    }

    @Test("suggestions: what others call so, then the spelling, then what begins or ends so")
    func suggestions() {
        let known: [Name] = ["learning_rate", "layer1.weight", "layer2.weight", "layer1.bias", "head.running_mean"]
        #expect(NearestNames.of("LR", among: known) == ["learning_rate"])
        #expect(NearestNames.of("Layer1.wieght", among: known) == ["layer1.weight", "layer2.weight"])
        #expect(NearestNames.of("head", among: known) == ["head.running_mean"])
        #expect(NearestNames.of("module.something.head.running_mean", among: known) == ["head.running_mean"])
        #expect(NearestNames.of("zzzzzzzz", among: known) == [])
        #expect(NearestNames.hint("zzzzzzzz", among: ["b", "a"]) == "use one of `a`, `b`.")
        #expect(NearestNames.of("cosine", among: ["SGD", "CosineDecayLR"]) == ["CosineDecayLR"])
    }

    @Test("the parts of a sequence, and what follows them")
    func pieces() throws {
        let rate = try LearningRate(
            .object([
                .init(key: "schedule", value: .string("sequence")),
                .init(
                    key: "of",
                    value: .array([
                        Self.piece(2, .number(1)), Self.piece(3, .numbers([5, 6])), Self.piece(1, .number(9)),
                    ])),
            ]), pointer: "")
        #expect(rate.length == 6)
        #expect((0..<8).map { rate.value(at: $0) } == [1, 1, 5, 6, 6, 9, nil, nil])
        #expect(rate.value(at: 100, past: .hold) == 9)
    }

    private static func piece(_ steps: Int, _ rate: SettingValue) -> SettingValue {
        .object([.init(key: "steps", value: .integer(steps)), .init(key: "lr", value: rate)])
    }
}
