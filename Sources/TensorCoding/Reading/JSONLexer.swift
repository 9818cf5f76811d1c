// Bytes in chunks of any size -> JSON tokens, strictly by RFC 8259. Grammar, depth and positions lie here; strings and
// numbers in the extensions beside it. `JSONBodyReader` asks for tokens and may take over at a number (`FloatRun`).

/// What the lexer has just completed.
enum JSONToken {
    case beginObject, endObject, beginArray, endArray
    /// An object's key and its colon; `text` holds the key.
    case key
    /// A string's end; what `text` holds depends on the string mode.
    case string
    /// More bytes of a string in mode `.stream`.
    case text
    /// A number; `number` holds it.
    case number
    case `true`, `false`, null
}

/// A resumable tokenizer: it stops at the end of a chunk wherever that falls and goes on with the next.
struct JSONLexer {
    /// What may come next, white space aside.
    enum Expectation {
        case value, valueOrEnd, keyOrEnd, key, colon, commaOrEnd, nothing
    }

    /// The token that the end of a chunk has cut.
    enum Partial {
        case none, string, literal, number
    }

    /// The next byte to read, and the end of the chunk.
    var position: UnsafePointer<UInt8>
    private(set) var end: UnsafePointer<UInt8>
    private var chunkStart: UnsafePointer<UInt8>

    /// Resolved bytes of the last key, or of a string as `stringMode` says.
    var text: [UInt8] = []
    var stringMode = StringMode.drop
    var string = StringState()
    var number = NumberText()
    var partial = Partial.none
    var expectation = Expectation.value

    private var literal: [UInt8] = []
    private var literalToken = JSONToken.null
    private var literalMatched = 0
    private var containers: [Bool] = []  // true is an object
    private let depthLimit: Int

    private var consumed = 0  // bytes of earlier chunks
    private var line = 1
    private var lineStart = 0  // offset of the line's first byte
    var continuationBytes = 0  // of this line, so that columns count characters

    // An address for the empty chunk; nothing is read from it.
    private nonisolated(unsafe) static let nothing = UnsafePointer(UnsafeMutablePointer<UInt8>.allocate(capacity: 1))

    init(depthLimit: Int) {
        self.depthLimit = depthLimit
        position = Self.nothing
        end = Self.nothing
        chunkStart = Self.nothing
    }

    /// Open arrays and objects.
    var depth: Int { containers.count }

    /// Whether the innermost container is an array.
    var isInArray: Bool { containers.last == false }

    /// Bytes read so far, in all chunks.
    var offset: Int { consumed + (position - chunkStart) }

    /// Takes the next chunk; the one before must have been read to its end.
    mutating func load(_ bytes: UnsafeRawBufferPointer) {
        consumed += end - chunkStart
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? Self.nothing
        chunkStart = start
        position = start
        end = start + bytes.count
    }

    /// The place of the next byte.
    var place: JSONPosition {
        JSONPosition(line: line, column: offset - lineStart - continuationBytes + 1, offset: offset)
    }

    func error(_ reason: JSONError.Reason) -> JSONError {
        JSONError(reason: reason, position: place)
    }

    /// The next token, or nil where the chunk ends first.
    mutating func next() throws(JSONError) -> JSONToken? {
        while true {
            if partial != .none {
                if let token = try resume() { return token }
                if partial != .none { return nil }
            }
            guard skipWhiteSpace() else { return nil }
            if let token = try advance(over: position.pointee) { return token }
        }
    }

    /// Goes on with the token that the end of the last chunk has cut.
    private mutating func resume() throws(JSONError) -> JSONToken? {
        switch partial {
        case .none: nil
        case .string: try continueString()
        case .literal: try continueLiteral()
        case .number: try continueNumber()
        }
    }

    /// Skips white space; false where the chunk ends.
    mutating func skipWhiteSpace() -> Bool {
        while position < end {
            switch position.pointee {
            case 0x20, 0x09, 0x0D: position += 1
            case 0x0A:
                position += 1
                line += 1
                lineStart = offset
                continuationBytes = 0
            default: return true
            }
        }
        return false
    }

    /// Ends the document.
    ///
    /// - Returns: the number that only the end of the text ends, if there is one.
    mutating func finish() throws(JSONError) -> JSONToken? {
        var last: JSONToken?
        if partial == .number, containers.isEmpty { last = try endNumber() }
        guard expectation != .nothing else { return last }
        throw error(truncation)
    }

    private var truncation: JSONError.Reason {
        switch partial {
        case .string: return .truncated(inside: "a string")
        case .number: return .truncated(inside: "a number")
        case .literal: return .truncated(inside: "a word")
        case .none: break
        }
        guard let object = containers.last else { return .empty }
        return .truncated(inside: object ? "an object" : "an array")
    }
}

// MARK: Runs of numbers

extension JSONLexer {
    /// Moves to the next element of an array; true where it is a number that has not begun yet.
    mutating func standsBeforeNumber() -> Bool {
        guard partial == .none, isInArray, skipWhiteSpace() else { return false }
        if expectation == .commaOrEnd, position.pointee == UInt8(ascii: ",") {
            position += 1
            expectation = .value
            guard skipWhiteSpace() else { return false }
        }
        guard expectation == .value || expectation == .valueOrEnd else { return false }
        return position.pointee &- UInt8(ascii: "0") <= 9 || position.pointee == UInt8(ascii: "-")
    }

    /// Moves over `],[` from one list of numbers to the next; false where something else follows.
    mutating func stepsToNextList() -> Bool {
        guard partial == .none, isInArray, expectation == .commaOrEnd, end - position >= 4 else { return false }
        guard position[0] == UInt8(ascii: "]"), position[1] == UInt8(ascii: ",") else { return false }
        let bracket = position[2] == UInt8(ascii: " ") ? 3 : 2
        guard position[bracket] == UInt8(ascii: "[") else { return false }
        position += bracket + 1
        expectation = .valueOrEnd
        return true
    }

    /// Goes on after a run of numbers that has been read without the lexer.
    mutating func resume(at position: UnsafePointer<UInt8>, afterValue: Bool) {
        self.position = position
        expectation = afterValue ? .commaOrEnd : .value
    }
}

// MARK: Grammar

extension JSONLexer {
    private mutating func advance(over byte: UInt8) throws(JSONError) -> JSONToken? {
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
                byte == UInt8(ascii: "}") ? "remove the comma before it" : "a key in double quotes has to stand here"
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
        case 0xEF, 0xFE, 0xFF: offset == 0 ? .byteOrderMark : .unexpected(byte, wanted: "a value has to stand here")
        case UInt8(ascii: "]"), UInt8(ascii: "}"): .unexpected(byte, wanted: "a value has to stand before it")
        case UInt8(ascii: "'"): .unexpected(byte, wanted: "put text in double quotes")
        default: .unexpected(byte, wanted: "a value has to stand here")
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

    /// Notes that a value is complete.
    mutating func endValue() {
        partial = .none
        expectation = containers.isEmpty ? .nothing : .commaOrEnd
    }
}

// MARK: Literals

extension JSONLexer {
    private mutating func beginLiteral(_ word: StaticString, _ token: JSONToken) throws(JSONError) -> JSONToken? {
        literal = word.withUTF8Buffer { Array($0) }
        literalToken = token
        literalMatched = 0
        partial = .literal
        return try continueLiteral()
    }

    private mutating func continueLiteral() throws(JSONError) -> JSONToken? {
        while literalMatched < literal.count {
            guard position < end else { return nil }
            guard position.pointee == literal[literalMatched] else {
                let isNaN =
                    literal[0] == UInt8(ascii: "n") && literalMatched == 1 && position.pointee == UInt8(ascii: "a")
                throw error(position.pointee == 0 ? .nul : isNaN ? .notFinite : .invalidLiteral)
            }
            position += 1
            literalMatched += 1
        }
        endValue()
        return literalToken
    }
}
