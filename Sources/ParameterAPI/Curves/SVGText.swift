// Text and numbers in an SVG picture.

/// Escaping, measuring and cutting of text in SVG.
enum SVGText {
    /// The approximate width of a text at 13 pixels, an upper estimate for most fonts; only the browser knows it
    /// exactly.
    static func width(_ text: String) -> Double { text.reduce(0) { $0 + width($1) } }

    /// The text, cut in its middle if it is wider than `limit`.
    static func elided(_ text: String, to limit: Double) -> String {
        guard width(text) > limit else { return text }
        let half = (limit - width("…")) / 2
        let tail = fitting(text.reversed(), half).reversed()
        return String(fitting(Array(text), half)) + "…" + String(tail)
    }

    /// A coordinate, rounded to a tenth of a pixel.
    static func number(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    /// The text with XML's special characters escaped and invalid ones replaced.
    ///
    /// Goes by code points: `<` and a joiner after it are one `Character`, which differs from `<`.
    static func escaped(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\0"..<" ", "\u{fffe}", "\u{ffff}": result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
    }

    private static func width(_ character: Character) -> Double {
        guard character.isASCII else { return 13.5 }
        return switch character {
        case "i", "j", "l", ".", ",", "'", "|", "!": 4
        case "m", "w", "M", "W", "@": 11.5
        default: character.isUppercase ? 9 : 7.6
        }
    }

    /// The first characters that fit within `limit`.
    private static func fitting(_ characters: [Character], _ limit: Double) -> ArraySlice<Character> {
        var room = limit
        return characters.prefix { character in
            room -= width(character)
            return room >= 0
        }
    }
}
