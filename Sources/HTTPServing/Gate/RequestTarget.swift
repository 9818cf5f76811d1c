// The request target, decoded once: path segments and query arguments. Only the gate uses it, so that nothing is
// decoded twice.

/// A target that is split before decoding, so that `%2F` stays inside its segment.
struct RequestTarget {
    let path: [String]
    let query: [(name: String, value: String)]

    /// The target that stands for the whole server (RFC 9112, 3.2.4); only `OPTIONS` accepts it.
    static let asterisk = RequestTarget(path: [], query: [])

    private init(path: [String], query: [(name: String, value: String)]) {
        self.path = path
        self.query = query
    }

    /// Decodes an origin-form target (RFC 9112, 3.2.1).
    init(_ target: String) throws(Refusal) {
        let bytes = Array(target.utf8)
        guard bytes.first == Character.slash else { throw Self.malformed("it does not begin with '/'") }
        guard bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != Character.hash }) else {
            throw Self.malformed("it contains a character that must be percent-encoded")
        }
        let end = bytes.firstIndex(of: Character.question) ?? bytes.count
        path = try Self.segments(bytes[1..<end])
        query = try Self.arguments(bytes[min(end + 1, bytes.count)...])
    }

    private static func segments(_ bytes: ArraySlice<UInt8>) throws(Refusal) -> [String] {
        var segments: [String] = []
        for part in bytes.split(separator: Character.slash, omittingEmptySubsequences: false) {
            let segment = try decoded(part, plusIsSpace: false)
            guard segment != ".", segment != ".." else { throw malformed("a segment of the path is '.' or '..'") }
            guard segment.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
                throw malformed("a segment of the path contains a control character")
            }
            segments.append(segment)
        }
        return segments
    }

    private static func arguments(_ bytes: ArraySlice<UInt8>) throws(Refusal) -> [(name: String, value: String)] {
        var arguments: [(name: String, value: String)] = []
        for part in bytes.split(separator: Character.ampersand) {
            let equals = part.firstIndex(of: Character.equals) ?? part.endIndex
            let name = try decoded(part[..<equals], plusIsSpace: true)
            let value = try decoded(part[equals...].dropFirst(), plusIsSpace: true)
            arguments.append((name: name, value: value))
        }
        return arguments
    }

    private static func decoded(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) throws(Refusal) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            switch bytes[index] {
            case Character.percent:
                result.append(try escaped(bytes[index...]))
                index += 3
            case Character.plus where plusIsSpace:
                result.append(0x20)
                index += 1
            case let byte:
                result.append(byte)
                index += 1
            }
        }
        guard let text = String(validating: result, as: UTF8.self) else { throw malformed("it is not UTF-8") }
        return text
    }

    /// The byte of an escape `%XX` at the start of `bytes`; never NUL.
    private static func escaped(_ bytes: ArraySlice<UInt8>) throws(Refusal) -> UInt8 {
        let digits = bytes.dropFirst().prefix(2)
        guard digits.count == 2, let high = digits.first?.hexadecimalValue, let low = digits.last?.hexadecimalValue
        else { throw malformed("'%' is not followed by two hexadecimal digits") }
        let byte = high << 4 | low
        guard byte != 0 else { throw malformed("%00 is not allowed") }
        return byte
    }

    private static func malformed(_ reason: String) -> Refusal { .malformedTarget(reason: reason) }

    private enum Character {
        static let hash = UInt8(ascii: "#")
        static let percent = UInt8(ascii: "%")
        static let ampersand = UInt8(ascii: "&")
        static let plus = UInt8(ascii: "+")
        static let slash = UInt8(ascii: "/")
        static let equals = UInt8(ascii: "=")
        static let question = UInt8(ascii: "?")
    }
}

extension UInt8 {
    /// The value of this ASCII hexadecimal digit, or nil.
    var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
