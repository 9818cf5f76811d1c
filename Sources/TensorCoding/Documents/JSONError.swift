// Why a text is refused as JSON: one sentence that says what to change, and where. Thrown by the lexer and the jansson
// bridge; the API prints `description`.

/// A position in the text, counted as the sender counts.
public struct JSONPosition: Sendable, Equatable {
    /// Line, from 1.
    public var line: Int
    /// Column in characters (Unicode scalars), from 1.
    public var column: Int
    /// Byte offset; nil if only line and column are known.
    public var offset: Int?
}

/// A text that is refused as a whole: it is not JSON, or it exceeds a limit of the reader.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong.
    public let reason: Reason
    /// Where the reader noticed it.
    public let position: JSONPosition

    /// The kinds of refusal.
    public enum Reason: Sendable, Equatable {
        /// The text is empty or only white space.
        case empty
        /// The text ends inside the named element.
        case truncated(inside: String)
        /// Text follows the end of the document.
        case trailingBytes
        /// The text starts with a byte order mark.
        case byteOrderMark
        /// A NUL byte, or `\u0000` inside a key.
        case nul
        /// Bytes that are not UTF-8.
        case invalidUTF8
        /// A raw control character inside a string.
        case controlCharacter(UInt8)
        /// An escape that JSON does not define, or half a surrogate pair.
        case invalidEscape
        /// `NaN`, `Infinity` or a similar word.
        case notFinite
        /// A word that is not `true`, `false` or `null`.
        case invalidLiteral
        /// Digits that are not a JSON number.
        case invalidNumber
        /// A number outside the range of a double, or an integer outside 64 bits.
        case numberOutOfRange
        /// A byte that is not allowed at this place; the text says what is.
        case unexpected(UInt8, wanted: String)
        /// The same key twice in one object.
        case duplicateKey(String)
        /// Deeper nesting than the limit.
        case tooDeep(limit: Int)
        /// A key, or a string outside the tensors, longer than the limit in bytes.
        case textTooLong(limit: Int)
        /// The document without its numbers is larger than the limit in bytes.
        case documentTooLarge(limit: Int)
        /// More tensors than the limit.
        case tooManyTensors(limit: Int)
        /// The budget leaves no room for the document outside the tensors.
        case overBudget
        /// jansson refused the document for another reason.
        case refused(String)
    }

    /// The whole sentence: place, reason and what to change.
    public var description: String {
        "line \(position.line), column \(position.column): \(reason.sentence)"
    }
}

extension JSONError.Reason {
    /// The reason and what to change, without the place.
    public var sentence: String {
        switch self {
        case .empty: "the body is empty; send a JSON document"
        case .truncated(let inside): "the text ends inside \(inside); send the whole document"
        case .trailingBytes: "more text follows the end of the document; send a single JSON value"
        case .byteOrderMark: "the text starts with a byte order mark; send UTF-8 without it"
        case .nul: "a NUL character is not allowed; remove it"
        case .invalidUTF8: "the text is not valid UTF-8; encode it as UTF-8"
        case .controlCharacter(let byte):
            "a string contains the raw control character \(hexadecimal(byte)); write it as an escape such as \\n or \\u00\(hexadecimal(byte).dropFirst(2))"
        case .invalidEscape: "unknown escape in a string; write \\\\ for a backslash and surrogates in pairs"
        case .notFinite: "NaN and Infinity are not JSON; push safetensors or drop the step"
        case .invalidLiteral:
            "unknown word; JSON has true, false and null in lower case, and text needs double quotes"
        case .invalidNumber: "malformed number; write it like -1.5e-3, without leading zeros or plus sign"
        case .numberOutOfRange: "the number is too large for a 64-bit float or a 64-bit integer; send a smaller one"
        case .unexpected(let byte, let wanted): "unexpected \(character(byte)); \(wanted)"
        case .duplicateKey(let key): "the key \"\(key)\" appears twice in one object; keep one of them"
        case .tooDeep(let limit): "the document is nested deeper than \(limit) levels; flatten it"
        case .textTooLong(let limit): "a name or word is longer than \(limit) bytes; shorten it"
        case .documentTooLarge(let limit):
            "the body without its tensors is longer than \(limit) bytes; shorten names and extra fields, and append to long arrays of rates with PATCH"
        case .tooManyTensors(let limit): "the body has more than \(limit) tensors; send them in several requests"
        case .overBudget:
            "not enough memory for the document; send fewer values (each rate of an array takes memory), or try again later"
        case .refused(let text): text
        }
    }

    private func hexadecimal(_ byte: UInt8) -> String {
        "0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    private func character(_ byte: UInt8) -> String {
        switch byte {
        case 0x22: "double quote"
        case 0x27: "single quote"
        case 0x21...0x7E: "'\(Character(Unicode.Scalar(byte)))'"
        default: "byte \(hexadecimal(byte))"
        }
    }
}
