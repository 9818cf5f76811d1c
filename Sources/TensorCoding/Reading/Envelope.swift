// The text that jansson parses after the tensors are cut out, and the mapping of its positions to the sender's text.

/// The document without its tensors, copied from the body in pieces.
struct Envelope {
    private(set) var text: [UInt8] = []
    private var cuts: [Cut] = []
    private let limit: Int

    /// From `offset` on, the envelope corresponds to the body from `place` on, or replaces what is there.
    private struct Cut {
        var offset: Int
        var place: JSONPosition
        var isStandIn = false
    }

    /// Whether the next piece may move what is there; `makeRoom` does it.
    var isFull: Bool { text.isFull || cuts.isFull }

    mutating func makeRoom() {
        text.makeRoom()
        cuts.makeRoom()
    }

    init(limit: Int) {
        self.limit = limit
    }

    /// Records that the next copied byte is at `place` of the body.
    mutating func mark(_ place: JSONPosition) {
        cuts.append(Cut(offset: text.count, place: place))
    }

    /// Copies bytes of the body.
    ///
    /// - Throws: `.documentTooLarge` beyond the limit.
    mutating func copy(_ bytes: UnsafeBufferPointer<UInt8>, at place: JSONPosition) throws(JSONError) {
        guard text.count + bytes.count <= limit else {
            throw JSONError(reason: .documentTooLarge(limit: limit), position: place)
        }
        text.append(contentsOf: bytes)
    }

    /// Adds a placeholder for the content at `place`.
    mutating func write(_ standIn: String, at place: JSONPosition) {
        cuts.append(Cut(offset: text.count, place: place, isStandIn: true))
        text.append(contentsOf: standIn.utf8)
    }

    /// Adds a key that ends at `place`, and its colon.
    mutating func writeKey(_ key: [UInt8], at place: JSONPosition) {
        cuts.append(Cut(offset: text.count, place: place, isStandIn: true))
        JSONText.appendQuoted(key, to: &text)
        text.append(UInt8(ascii: ":"))
    }

    /// The position in the body of a byte of the envelope.
    func place(of offset: Int) -> JSONPosition {
        let cut = cuts.last { $0.offset <= offset } ?? Cut(offset: 0, place: JSONPosition(line: 1, column: 1))
        var place = cut.place
        if cut.isStandIn { return place }
        place.offset = place.offset.map { $0 + offset - cut.offset }
        for byte in text[min(cut.offset, text.count)..<min(offset, text.count)] {
            if byte == 0x0A {
                place.line += 1
                place.column = 1
            } else if byte & 0xC0 != 0x80 {
                place.column += 1
            }
        }
        return place
    }

    /// Parses the envelope.
    func parse() throws(JSONError) -> JSONValue {
        do {
            return try JanssonDocument.parse(text)
        } catch {
            throw JSONError(reason: error.reason, position: place(of: error.offset))
        }
    }
}
