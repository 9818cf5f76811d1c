// Choosing a representation by the Accept header. Where a path's suffix names one, no one asks here.

import HTTPServing

/// One form of an answer and the media types that ask for it.
struct Offer<Form> {
    let form: Form
    /// The type of the answer, then others that are taken to mean it.
    let types: [String]

    init(_ form: Form, _ types: [String]) {
        self.form = form
        self.types = types
    }
}

extension Call {
    /// The offer that the client likes best; of two that it likes the same, the one that it names first.
    ///
    /// Source: RFC 9110, section 12.5.1.
    /// - Throws: `notAcceptable` where it likes none.
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
    let quality: Double

    /// Reads an entry; nil for an empty one.
    init?(_ text: Substring) {
        let parts = text.parts(between: ";").map { $0.trimmingSpaces().lowercased() }
        guard let type = parts.first, !type.isEmpty else { return nil }
        self.type = type
        let quality = parts.dropFirst().first { $0.hasPrefix("q=") }
        self.quality = quality.flatMap { Double(decimalDigits: $0.dropFirst(2)) } ?? 1
    }

    /// How well the client likes any of `types`, by its most specific entry, and that entry's place; nil for not at all.
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
