// The text that is left for jansson once the tensors are cut out, and the way back from its positions to the sender's.

/// The document without its tensors, in pieces copied from the body.
struct Envelope {
    private(set) var text: [UInt8] = []
    private var cuts: [Cut] = []
    private let limit: Int

    /// From `offset` on, the envelope goes on as the body does from `place` on, or stands in for what is there.
    private struct Cut {
        var offset: Int
        var place: JSONPosition
        var isStandIn = false
    }

    init(limit: Int) {
        self.limit = limit
    }

    /// Notes that the next byte copied is at `place` of the body.
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

    /// Adds text of the reader's own: a stand-in for what is at `place`.
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

    /// The body's place of a byte of the envelope.
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

    /// The document that the envelope holds.
    func parse() throws(JSONError) -> JSONValue {
        do {
            return try JanssonDocument.parse(text)
        } catch {
            throw JSONError(reason: error.reason, position: place(of: error.offset))
        }
    }
}
