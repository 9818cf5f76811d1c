// The lexer's strings: UTF-8 (RFC 3629) and escapes, checked byte by byte because a chunk may end anywhere.

/// What happens to the bytes of a string that is not a key.
enum StringMode {
    /// Checked and discarded; the envelope has its own copy.
    case drop
    /// Kept whole in `text`.
    case keep
    /// Delivered in pieces, as tokens `.text`, and finally `.string`.
    case stream
}

/// The lexer's place inside a string.
struct StringState {
    enum Step {
        case plain, escape
        case unicode(digits: Int)
        case lowSurrogateBackslash, lowSurrogateU
        /// The number of continuation bytes still expected, and the range of the next one.
        case continuation(left: Int, low: UInt8, high: UInt8)
    }

    var step = Step.plain
    var isKey = false
    var start = 0  // offset of its first byte
    var unit: UInt32 = 0  // the \u escape being read
    var highSurrogate: UInt32 = 0  // 0 where none waits for its partner
}

extension JSONLexer {
    /// The longest key, and the approximate size of the pieces of streamed strings.
    static let textLimit = JSONLimits().textBytes

    /// The bytes of the current or last string, as written and without quotes.
    var stringLength: Int { offset - string.start - (partial == .string ? 0 : 1) }

    mutating func beginString(isKey: Bool) throws(JSONError) -> JSONToken? {
        position += 1
        text.removeAll(keepingCapacity: true)
        string = StringState()
        string.isKey = isKey
        string.start = offset
        partial = .string
        return try continueString()
    }

    mutating func continueString() throws(JSONError) -> JSONToken? {
        if stringMode == .stream, !string.isKey { text.removeAll(keepingCapacity: true) }
        while position < end {
            if case .plain = string.step {
                takePlainRun()
                if try isTextFull() { return .text }
                guard position < end else { break }
                if position.pointee == UInt8(ascii: "\"") { return endString() }
            }
            try takeSpecial(position.pointee)
        }
        return stringMode == .stream && !string.isKey && !text.isEmpty ? .text : nil
    }

    private mutating func endString() -> JSONToken? {
        position += 1
        guard string.isKey else {
            endValue()
            return .string
        }
        partial = .none
        expectation = .colon
        return colonToken()
    }

    // The colon nearly always follows at once; otherwise the grammar's loop waits for it.
    private mutating func colonToken() -> JSONToken? {
        guard position < end, position.pointee == UInt8(ascii: ":") else { return nil }
        position += 1
        expectation = .value
        return .key
    }

    private func isTextFull() throws(JSONError) -> Bool {
        guard text.count >= Self.textLimit else { return false }
        if string.isKey || stringMode == .keep { throw error(.textTooLong(limit: Self.textLimit)) }
        return stringMode == .stream
    }

    /// Reads printable ASCII, at most `textLimit` bytes.
    private mutating func takePlainRun() {
        let start = position
        let stop = min(end, start + Self.textLimit)
        var next = start
        while next < stop, next.pointee.isPlain { next += 1 }
        position = next
        if string.isKey || stringMode != .drop {
            text.append(contentsOf: UnsafeBufferPointer(start: start, count: next - start))
        }
    }

    private mutating func takeSpecial(_ byte: UInt8) throws(JSONError) {
        switch string.step {
        case .plain: try beginSpecial(byte)
        case .escape: try takeEscape(byte)
        case .unicode(let digits): try takeHexadecimal(byte, digits: digits)
        case .lowSurrogateBackslash: try expect(byte, UInt8(ascii: "\\"), then: .lowSurrogateU)
        case .lowSurrogateU:
            string.unit = 0
            try expect(byte, UInt8(ascii: "u"), then: .unicode(digits: 0))
        case .continuation(let left, let low, let high):
            guard byte >= low, byte <= high else { throw error(byte == 0 ? .nul : .invalidUTF8) }
            keep(byte)
            continuationBytes += 1
            string.step = left == 1 ? .plain : .continuation(left: left - 1, low: 0x80, high: 0xBF)
        }
        position += 1
    }

    private mutating func keep(_ byte: UInt8) {
        if string.isKey || stringMode != .drop { text.append(byte) }
    }

    private mutating func beginSpecial(_ byte: UInt8) throws(JSONError) {
        switch byte {
        case UInt8(ascii: "\\"): string.step = .escape
        case 0: throw error(.nul)
        case ..<0x20: throw error(.controlCharacter(byte))
        case 0x80...: try beginMultibyte(byte)
        default: keep(byte)  // printable ASCII after a run reached its length limit
        }
    }

    private mutating func beginMultibyte(_ byte: UInt8) throws(JSONError) {
        string.step =
            switch byte {
            case 0xC2...0xDF: .continuation(left: 1, low: 0x80, high: 0xBF)
            case 0xE0: .continuation(left: 2, low: 0xA0, high: 0xBF)
            case 0xED: .continuation(left: 2, low: 0x80, high: 0x9F)  // no surrogates
            case 0xE1...0xEF: .continuation(left: 2, low: 0x80, high: 0xBF)
            case 0xF0: .continuation(left: 3, low: 0x90, high: 0xBF)
            case 0xF1...0xF3: .continuation(left: 3, low: 0x80, high: 0xBF)
            case 0xF4: .continuation(left: 3, low: 0x80, high: 0x8F)
            default: throw error(.invalidUTF8)
            }
        keep(byte)
    }

    private mutating func expect(_ byte: UInt8, _ wanted: UInt8, then step: StringState.Step) throws(JSONError) {
        guard byte == wanted else { throw error(byte == 0 ? .nul : .invalidEscape) }
        string.step = step
    }
}

// MARK: Escapes

extension JSONLexer {
    private mutating func takeEscape(_ byte: UInt8) throws(JSONError) {
        string.step = .plain
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): keep(byte)
        case UInt8(ascii: "b"): keep(0x08)
        case UInt8(ascii: "f"): keep(0x0C)
        case UInt8(ascii: "n"): keep(0x0A)
        case UInt8(ascii: "r"): keep(0x0D)
        case UInt8(ascii: "t"): keep(0x09)
        case UInt8(ascii: "u"):
            string.unit = 0
            string.step = .unicode(digits: 0)
        default: throw error(byte == 0 ? .nul : .invalidEscape)
        }
    }

    private mutating func takeHexadecimal(_ byte: UInt8, digits: Int) throws(JSONError) {
        guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
            throw error(byte == 0 ? .nul : .invalidEscape)
        }
        string.unit = string.unit << 4 | UInt32(digit)
        string.step = .unicode(digits: digits + 1)
        if digits == 3 { try endUnicode(string.unit) }
    }

    private mutating func endUnicode(_ unit: UInt32) throws(JSONError) {
        let isLow = unit & 0xFC00 == 0xDC00
        guard isLow == (string.highSurrogate != 0) else { throw error(.invalidEscape) }
        if unit & 0xFC00 == 0xD800 {
            string.highSurrogate = unit
            string.step = .lowSurrogateBackslash
            return
        }
        if unit == 0, string.isKey { throw error(.nul) }
        keep(scalar: isLow ? 0x10000 + (string.highSurrogate & 0x3FF) << 10 + unit & 0x3FF : unit)
        string.highSurrogate = 0
        string.step = .plain
    }

    private mutating func keep(scalar: UInt32) {
        guard string.isKey || stringMode != .drop, let scalar = Unicode.Scalar(scalar) else { return }
        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
}
