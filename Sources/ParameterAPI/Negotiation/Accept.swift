// Chooses a representation by the Accept header. Not used if the path's suffix names one.

import HTTPServing

/// One format of an answer and the media types that select it.
struct Offer<Form> {
    let form: Form
    /// The type of the answer, then its synonyms.
    let types: [String]

    init(_ form: Form, _ types: [String]) {
        self.form = form
        self.types = types
    }
}

extension Call {
    /// Whether the client has no preference: it sends no Accept header, or `*/*` alone.
    var acceptsAnything: Bool {
        let values = request.headers.values(of: "Accept")
        return values.isEmpty || values == ["*/*"]
    }

    /// The offer that the client prefers; among equals, the one that it names first.
    ///
    /// Source: RFC 9110, section 12.5.1.
    /// - Throws: `notAcceptable` if it accepts none.
    func accepted<Form>(_ offers: [Offer<Form>]) throws(Problem) -> Form {
        let ranges = request.headers.values(of: "Accept").flatMap { $0.parts(between: ",") }.compactMap(
            MediaRange.init)
        var best: (form: Form, quality: Double, place: Int)?
        for offer in offers {
            guard let (quality, place) = MediaRange.quality(of: offer.types, in: ranges), quality > 0 else { continue }
            if let best, (best.quality, -best.place) >= (quality, -place) { continue }
            best = (offer.form, quality, place)
        }
        if let best { return best.form }
        throw Problem(
            .notAcceptable,
            "Accept `\((request.headers["Accept"] ?? "").prefix(100))` cannot be met; ask for \(offers.map { $0.types[0] }.joined(separator: ", "))."
        )
    }
}

/// One entry of an Accept header.
private struct MediaRange {
    let type: String
    private let arguments: Substring

    /// Reads an entry; nil if it is empty.
    init?(_ text: Substring) {
        let end = text.utf8.firstIndex(of: UInt8(ascii: ";")) ?? text.endIndex
        type = text[..<end].trimmingSpaces().lowercased()
        if type.isEmpty { return nil }
        arguments = text[end...].dropFirst()
    }

    /// Read only for the entry that decides: a list can have a thousand.
    private var quality: Double {
        let parts = arguments.parts(between: ";").lazy.map { $0.trimmingSpaces().lowercased() }
        let quality = parts.first { $0.hasPrefix("q=") }
        return quality.flatMap { Double(decimalDigits: $0.dropFirst(2)) } ?? 1
    }

    /// How much the client prefers any of `types`, by its most specific entry, and that entry's index; nil for not at
    /// all.
    static func quality(of types: [String], in ranges: [MediaRange]) -> (Double, place: Int)? {
        if ranges.isEmpty { return (1, 0) }
        let kind = types.prefix(1).map { "\($0.prefix { $0 != "/" })/*" }
        for wanted in [types, kind, ["*/*"]] {
            if let place = ranges.firstIndex(where: { wanted.contains($0.type) }) {
                return (ranges[place].quality, place)
            }
        }
        return nil
    }
}
