// The lexer's grammar: which token may follow which (RFC 8259, sections 2 to 5), and the error if none may.

/// A literal word, and how many of its bytes have been read.
struct LiteralState {
    var word: [UInt8] = []
    var token = JSONToken.null
    var matched = 0
}

extension JSONLexer {
    mutating func advance(over byte: UInt8) throws(JSONError) -> JSONToken? {
        switch expectation {
        case .value:
            return try beginValue(byte)
        case .valueOrEnd:
            return byte == UInt8(ascii: "]") ? close() : try beginValue(byte)
        case .commaOrEnd:
            return try advanceOverSeparator(byte)
        case .keyOrEnd where byte == UInt8(ascii: "}"):
            return close()
        case .keyOrEnd, .key:
            return try beginKey(byte)
        case .colon:
            guard byte == UInt8(ascii: ":") else { throw error(.unexpected(byte, wanted: "put ':' after the key")) }
            position += 1
            expectation = .value
            return .key
        case .nothing:
            throw error(byte == 0 ? .nul : .trailingBytes)
        }
    }

    private mutating func advanceOverSeparator(_ byte: UInt8) throws(JSONError) -> JSONToken? {
        let isObject = containers.last == true
        if byte == UInt8(ascii: ",") {
            position += 1
            expectation = isObject ? .key : .value
            return nil
        }
        if byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { return close() }
        if byte == 0 { throw error(.nul) }
        throw error(
            .unexpected(byte, wanted: isObject ? "put ',' or '}' after a value" : "put ',' or ']' after a value"))
    }

    private mutating func beginKey(_ byte: UInt8) throws(JSONError) -> JSONToken? {
        guard byte == UInt8(ascii: "\"") else {
            if byte == 0 { throw error(.nul) }
            let comma =
                byte == UInt8(ascii: "}") ? "remove the comma before it" : "write a key in double quotes"
            throw error(.unexpected(byte, wanted: comma))
        }
        return try beginString(isKey: true)
    }

    private mutating func beginValue(_ byte: UInt8) throws(JSONError) -> JSONToken? {
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            number.reset()
            return try continueNumber()
        case UInt8(ascii: "\""): return try beginString(isKey: false)
        case UInt8(ascii: "["): return try open(object: false)
        case UInt8(ascii: "{"): return try open(object: true)
        case UInt8(ascii: "t"): return try beginLiteral("true", .true)
        case UInt8(ascii: "f"): return try beginLiteral("false", .false)
        case UInt8(ascii: "n"): return try beginLiteral("null", .null)
        default: throw error(reasonAgainstValue(byte))
        }
    }

    private func reasonAgainstValue(_ byte: UInt8) -> JSONError.Reason {
        switch byte {
        case 0: .nul
        case UInt8(ascii: "N"), UInt8(ascii: "I"): .notFinite
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): .invalidLiteral
        case UInt8(ascii: "+"), UInt8(ascii: "."): .invalidNumber
        case 0xEF, 0xFE, 0xFF: offset == 0 ? .byteOrderMark : .unexpected(byte, wanted: "write a value here")
        case UInt8(ascii: "]"), UInt8(ascii: "}"): .unexpected(byte, wanted: "write a value before it")
        case UInt8(ascii: "'"): .unexpected(byte, wanted: "put text in double quotes")
        default: .unexpected(byte, wanted: "write a value here")
        }
    }

    private mutating func open(object: Bool) throws(JSONError) -> JSONToken {
        guard containers.count < depthLimit else { throw error(.tooDeep(limit: depthLimit)) }
        containers.append(object)
        position += 1
        expectation = object ? .keyOrEnd : .valueOrEnd
        return object ? .beginObject : .beginArray
    }

    private mutating func close() -> JSONToken {
        let isObject = containers.removeLast()
        position += 1
        endValue()
        return isObject ? .endObject : .endArray
    }

    /// Records that a value is complete.
    mutating func endValue() {
        partial = .none
        expectation = containers.isEmpty ? .nothing : .commaOrEnd
    }
}

// MARK: Literals

extension JSONLexer {
    private mutating func beginLiteral(_ word: StaticString, _ token: JSONToken) throws(JSONError) -> JSONToken? {
        literal = LiteralState(word: word.withUTF8Buffer { Array($0) }, token: token)
        partial = .literal
        return try continueLiteral()
    }

    mutating func continueLiteral() throws(JSONError) -> JSONToken? {
        while literal.matched < literal.word.count {
            guard position < end else { return nil }
            guard position.pointee == literal.word[literal.matched] else {
                let isNaN =
                    literal.word[0] == UInt8(ascii: "n") && literal.matched == 1
                    && position.pointee == UInt8(ascii: "a")
                throw error(position.pointee == 0 ? .nul : isNaN ? .notFinite : .invalidLiteral)
            }
            position += 1
            literal.matched += 1
        }
        endValue()
        return literal.token
    }
}
