// The reader against public JSON test suites: every verdict, in every chunking.

import Testing

@testable import TensorCoding

@Suite("JSON corpora")
struct JSONCorpusTests {
    static let suite = Corpus("json/nst-JSONTestSuite")
    static let limits = JSONLimits(depth: 600)

    /// Valid texts that are refused on purpose: duplicate keys, and NUL in a key.
    static let refusedByDesign: Set = [
        "y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json",
        "y_object_escaped_null_in_key.json",
    ]

    /// Texts that RFC 8259 leaves open and that the reader accepts.
    static let takenByChoice: Set = [
        "i_number_double_huge_neg_exp.json", "i_number_real_underflow.json", "i_structure_500_nested_arrays.json",
        "i_number_too_big_neg_int.json", "i_number_too_big_pos_int.json", "i_number_very_big_negative_int.json",
    ]

    private func verdict(_ bytes: [UInt8], chunk: Int = .max) -> Result<JSONValue, JSONError> {
        Result { () throws(JSONError) in try readBody(bytes, chunk: chunk, limits: Self.limits).document }
    }

    @Test("valid texts are accepted, except for duplicate keys and NUL in keys")
    func valid() {
        let names = Self.suite.names(".json").filter { $0.hasPrefix("y_") }
        #expect(names.count == 95)
        for name in names {
            let taken = (try? verdict(Self.suite.bytes(name)).get()) != nil
            #expect(taken != Self.refusedByDesign.contains(name), "\(name)")
        }
    }

    @Test("invalid texts are refused with a place and a sentence")
    func invalid() {
        let names = Self.suite.names(".json").filter { $0.hasPrefix("n_") }
        #expect(names.count == 188)
        for name in names {
            guard case .failure(let error) = verdict(Self.suite.bytes(name)) else {
                Issue.record("\(name) is taken")
                continue
            }
            #expect(error.position.line >= 1 && error.position.column >= 1, "\(name)")
            #expect(!error.description.isEmpty)
        }
    }

    @Test("of the texts left open by the standard, six are accepted")
    func implementationDefined() {
        let names = Self.suite.names(".json").filter { $0.hasPrefix("i_") }
        #expect(names.count == 35)
        let taken = names.filter { (try? verdict(Self.suite.bytes($0)).get()) != nil }
        #expect(Set(taken) == Self.takenByChoice)
    }

    @Test("no chunking changes a verdict or its place")
    func chunkings() {
        for name in Self.suite.names(".json") {
            let bytes = Self.suite.bytes(name)
            guard bytes.count < 2000 else { continue }
            let whole = verdict(bytes)
            for size in 1...max(1, min(bytes.count, 24)) {
                #expect(verdict(bytes, chunk: size) == whole, "\(name) in chunks of \(size)")
            }
        }
    }

    @Test("100,000 opening brackets are too deep, in constant stack")
    func depth() {
        let bytes = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        guard case .failure(let error) = verdict(bytes) else {
            Issue.record("taken")
            return
        }
        #expect(error.reason == .tooDeep(limit: 600))
    }

    @Test("jansson's own invalid inputs are refused, its valid ones taken")
    func janssonSuites() {
        for (folder, wanted) in [("valid", true), ("invalid", false), ("invalid-unicode", false)] {
            for name in Corpus("json/jansson-suites/\(folder)").names("") {
                let bytes = Corpus("json/jansson-suites/\(folder)/\(name)").bytes("input")
                let taken = (try? verdict(bytes).get()) != nil
                #expect(taken == (wanted || Self.takenHere.contains(name)), "\(folder)/\(name)")
            }
        }
    }

    /// Inputs that jansson's suite refuses: a bare value, NUL in a text, integers beyond 64 bits (here a real).
    static let takenHere: Set = [
        "null", "null-escape-in-string", "too-big-negative-integer", "too-big-positive-integer",
    ]

    @Test("naughty strings come back as they went")
    func naughtyStrings() throws {
        let list = try JSONValue(parsing: Corpus("strings").bytes("blns.json"))
        #expect(list.elements?.count ?? 0 > 500)
        for indented in [false, true] {
            var writer = JSONWriter(indented: indented)
            writer.value(list)
            #expect(try JSONValue(parsing: writer.finish()) == list)
        }
    }

    @Test("mutated texts never crash the reader, and it agrees with itself in chunks")
    func mutations() {
        var generator = FixedGenerator(seed: 20_261_122)
        let seeds = Self.suite.names(".json").map(Self.suite.bytes).filter { !$0.isEmpty && $0.count < 300 }
        let tensors =
            #"{"gradients":{"w":[[1,-2.5e3],[0.1,4]],"s":{"indices":[1,2],"values":[[1],[2]]},"b":{"dtype":"F32","b64":"AACAPw=="}}}"#
        for round in 0..<6000 {
            var bytes = round % 2 == 0 ? Array(tensors.utf8) : seeds.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...3, using: &generator) { mutate(&bytes, &generator) }
            let whole = verdict(bytes)
            let size = Int.random(in: 1...9, using: &generator)
            #expect(verdict(bytes, chunk: size) == whole, "\(String(decoding: bytes, as: UTF8.self)) by \(size)")
        }
    }

    private func mutate(_ bytes: inout [UInt8], _ generator: inout FixedGenerator) {
        let alphabet = Array("{}[]\",:0123456789.-+eE\\u\u{0} ntf\n/=".utf8)
        let place = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0 where !bytes.isEmpty: bytes.remove(at: place)
        case 1: bytes.insert(alphabet.randomElement(using: &generator) ?? 0, at: place)
        case 2 where !bytes.isEmpty: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 3 where !bytes.isEmpty: bytes.removeLast(bytes.count - place)
        default: bytes.insert(contentsOf: bytes[..<place], at: place)
        }
    }
}
