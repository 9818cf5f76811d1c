// Byte-wise access to names. `String` compares by grapheme clusters, so a combining mark would hide a suffix.

extension Name {
    /// Whether the bytes of `prefix` begin the name.
    public func hasPrefix(_ prefix: Name) -> Bool { utf8.starts(with: prefix.utf8) }

    /// The name without `suffix`; nil where its bytes do not end the name.
    public func dropping(suffix: Name) -> Name? {
        guard utf8.count >= suffix.utf8.count, utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) else {
            return nil
        }
        return Name(String(decoding: utf8.dropLast(suffix.utf8.count), as: UTF8.self))
    }

    /// Whether the bytes of `word` occur in the name.
    public func contains(_ word: Name) -> Bool {
        let (text, word) = (Array(utf8), Array(word.utf8))
        guard text.count >= word.count else { return false }
        return (0...(text.count - word.count)).contains { text[$0..<($0 + word.count)].elementsEqual(word) }
    }

    /// The name as one token of a JSON pointer (RFC 6901): `~` becomes `~0`, `/` becomes `~1`.
    public var pointerEscaped: String {
        guard utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return text }
        var pointer = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "~": pointer += "~0"
            case "/": pointer += "~1"
            default: pointer.unicodeScalars.append(scalar)
            }
        }
        return pointer
    }
}
