// The preferences in a request's `Prefer` headers (RFC 7240). Unreadable ones are ignored: a preference is not binding.
// Used by the endpoints that support one.

import HTTPServing

/// The preferences of a request; the first of each name counts.
struct Preferences {
    private let values: [(name: String, value: String)]

    /// Reads all `Prefer` headers, ignoring parameters after `;`.
    init(_ headers: Headers) {
        let wishes = headers.values(of: "Prefer").flatMap { Self.parts(of: $0, between: ",") }
        values = wishes.compactMap { wish in
            guard let preference = Self.parts(of: wish, between: ";").first else { return nil }
            let sides = preference.split(separator: "=", maxSplits: 1).map { $0.trimmingSpaces() }
            guard let name = sides.first else { return nil }
            return (name.lowercased(), sides.count == 2 ? Self.unquoted(sides[1]) : "")
        }
    }

    /// The value of a preference; empty if it has none.
    subscript(name: String) -> String? { values.first { $0.name == name }?.value }

    /// The parts of a text between separators that are not quoted.
    private static func parts(of text: some StringProtocol, between separator: Unicode.Scalar) -> [Substring] {
        var (isQuoted, isEscaped) = (false, false)
        let parts = Substring(text).utf8.split { byte in
            defer { isEscaped = isQuoted && byte == UInt8(ascii: "\\") && !isEscaped }
            if byte == UInt8(ascii: "\""), !isEscaped { isQuoted.toggle() }
            return byte == UInt8(ascii: separator) && !isQuoted
        }
        return parts.map { Substring($0) }
    }

    /// A word without its quotes and backslashes.
    private static func unquoted(_ word: String) -> String {
        guard word.count >= 2, word.hasPrefix("\""), word.hasSuffix("\"") else { return word }
        var (text, isEscaped) = ("", false)
        for character in word.dropFirst().dropLast() {
            isEscaped = character == "\\" && !isEscaped
            if !isEscaped { text.append(character) }
        }
        return text
    }
}
