// How long a request's body is, from its head (RFC 9112, 6.3), where every ambiguity is refused: two readings of one
// length are how requests are smuggled past a proxy. A part of the gate.

/// What a head says about the length of its body.
enum BodyLength: Equatable {
    case none
    case announced(Int)
    case chunked

    /// The number of bytes announced, or nil.
    var announcement: Int? {
        if case .announced(let count) = self { count } else { nil }
    }
}

extension Gate {
    /// The one length of the body that `headers` announce.
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
