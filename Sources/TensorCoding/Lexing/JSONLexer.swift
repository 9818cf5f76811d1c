// Turns bytes in chunks of any size into JSON tokens, strictly by RFC 8259. This file has chunks and positions;
// grammar, strings and numbers are in the files beside it. `JSONBodyReader` requests tokens and may take over at a
// number (`FloatRun`).

/// A completed token.
enum JSONToken {
    case beginObject, endObject, beginArray, endArray
    /// An object's key and its colon; `text` holds the key.
    case key
    /// The end of a string; the content of `text` depends on the string mode.
    case string
    /// More bytes of a string in mode `.stream`.
    case text
    /// A number; `number` holds it.
    case number
    case `true`, `false`, null
}

/// A resumable tokenizer: it stops at the end of a chunk, wherever that is, and continues with the next one.
struct JSONLexer {
    /// What may come next, apart from white space.
    enum Expectation {
        case value, valueOrEnd, keyOrEnd, key, colon, commaOrEnd, nothing
    }

    /// The token that the end of a chunk has split.
    enum Partial {
        case none, string, literal, number
    }

    /// The next byte to read, and the end of the chunk.
    var position: UnsafePointer<UInt8>
    private(set) var end: UnsafePointer<UInt8>
    private var chunkStart: UnsafePointer<UInt8>

    /// The decoded bytes of the last key, or of a string as `stringMode` says.
    var text: [UInt8] = []
    var stringMode = StringMode.drop
    var string = StringState()
    var number = NumberText()
    var partial = Partial.none
    var expectation = Expectation.value

    var literal = LiteralState()
    var containers: [Bool] = []  // true is an object
    let depthLimit: Int

    private var consumed = 0  // bytes of earlier chunks
    private var line = 1
    private var lineStart = 0  // offset of the line's first byte
    var continuationBytes = 0  // of this line, so that columns count characters

    // An address for the empty chunk; never read.
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

    /// Takes the next chunk.
    ///
    /// The previous one must have been read to its end.
    mutating func load(_ bytes: UnsafeRawBufferPointer) {
        consumed += end - chunkStart
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? Self.nothing
        chunkStart = start
        position = start
        end = start + bytes.count
    }

    /// Ends the chunk here, and returns the rest of it.
    mutating func cutChunk() -> [UInt8] {
        defer { end = position }
        return Array(UnsafeBufferPointer(start: position, count: end - position))
    }

    /// The position of the next byte.
    var place: JSONPosition {
        JSONPosition(line: line, column: offset - lineStart - continuationBytes + 1, offset: offset)
    }

    func error(_ reason: JSONError.Reason) -> JSONError {
        JSONError(reason: reason, position: place)
    }

    /// The next token; nil if the chunk ends first.
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

    /// Continues with the token that the end of the last chunk has split.
    private mutating func resume() throws(JSONError) -> JSONToken? {
        switch partial {
        case .none: nil
        case .string: try continueString()
        case .literal: try continueLiteral()
        case .number: try continueNumber()
        }
    }

    /// Skips white space; false at the end of the chunk.
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
    /// - Returns: the number that ends with the text, if there is one.
    mutating func finish() throws(JSONError) -> JSONToken? {
        var last: JSONToken?
        if partial == .number, containers.isEmpty { last = try endNumber() }
        guard expectation != .nothing else { return last }
        throw error(truncation)
    }

    /// Why a text that ends here is not a document.
    var truncation: JSONError.Reason {
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
    /// Moves to the next element of an array; true if it is a number that has not begun.
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

    /// Moves over `],[` from one list of numbers to the next; false if something else follows.
    mutating func stepsToNextList() -> Bool {
        guard partial == .none, isInArray, expectation == .commaOrEnd, end - position >= 4 else { return false }
        guard position[0] == UInt8(ascii: "]"), position[1] == UInt8(ascii: ",") else { return false }
        let bracket = position[2] == UInt8(ascii: " ") ? 3 : 2
        guard position[bracket] == UInt8(ascii: "[") else { return false }
        position += bracket + 1
        expectation = .valueOrEnd
        return true
    }

    /// Moves over the next element of an array if it is an integer of at most 18 digits; nil for anything else, which
    /// `next` reads.
    mutating func takeDigits() -> Int? {
        guard standsBeforeNumber() else { return nil }
        var (value, place) = (0, position)
        while place < end, place - position < 19, place.pointee &- UInt8(ascii: "0") <= 9 {
            value = value &* 10 &+ Int(place.pointee &- UInt8(ascii: "0"))
            place += 1
        }
        let count = place - position
        guard place < end, (1...18).contains(count), count == 1 || position.pointee != UInt8(ascii: "0"),
            place.pointee == UInt8(ascii: ",") || place.pointee == UInt8(ascii: "]")
        else { return nil }
        resume(at: place, afterValue: true)
        return value
    }

    /// Continues after a run of numbers that was read without the lexer.
    mutating func resume(at position: UnsafePointer<UInt8>, afterValue: Bool) {
        self.position = position
        expectation = afterValue ? .commaOrEnd : .value
    }
}
