// The length of a request's body, from its head (RFC 9112, 6.3). Every ambiguity is refused: two interpretations of one
// length are how requests are smuggled past a proxy. Part of the gate.

/// The body length announced in a head.
enum BodyLength: Equatable {
    case none
    case announced(Int)
    case chunked

    /// The announced number of bytes, or nil.
    var announcement: Int? {
        if case .announced(let count) = self { count } else { nil }
    }
}

extension Gate {
    /// The only body length that `headers` announce.
    func bodyLength(_ headers: Headers, version: String) throws(Refusal) -> BodyLength {
        let codings = headers.values(of: "Transfer-Encoding")
        let lengths = headers.values(of: "Content-Length")
        guard let coding = codings.first else { return try announcedLength(lengths) }
        guard Headers.matches(coding, "chunked") else { throw .unknownTransferEncoding(coding) }
        guard codings.count == 1, lengths.isEmpty, version == "HTTP/1.1" else { throw .ambiguousLength }
        return .chunked
    }

    private func announcedLength(_ lengths: [String]) throws(Refusal) -> BodyLength {
        guard let text = lengths.first else { return .none }
        guard lengths.count == 1 else { throw .repeatedContentLength }
        guard let count = Int(digits: text) else { throw .malformedContentLength }
        return .announced(count)
    }
}
