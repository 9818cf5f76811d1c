// A request's head as applications see it: checked and decoded once. Made by the gate; passed to `Application.route`.

/// The head of a request whose framing, names and encodings are valid.
public struct Request: Sendable {
    /// The request method.
    public let method: Method
    /// The request target: path and query as received, still percent-encoded, or `*`.
    public let target: String
    /// The segments of the path, each percent-decoded once; `/` is one empty segment, `%2F` is part of a segment, `*`
    /// has none.
    public let path: [String]
    /// The arguments of the query in the order received, percent-decoded, with `+` as a space.
    public let query: [(name: String, value: String)]
    /// The header fields.
    public let headers: Headers
    /// The announced length of the body in bytes, or nil.
    public let contentLength: Int?
    /// Whether the body arrives in chunks, without an announced length.
    public let isChunked: Bool
    /// The peer's address in numeric form, without its port; `local` for a Unix socket.
    public let remote: String

    /// Makes a request from valid parts; decodes `target`.
    ///
    /// - Throws: `Refusal.malformedTarget` if the target cannot be decoded.
    public init(
        method: Method, target: String, headers: Headers = Headers(), contentLength: Int? = nil,
        isChunked: Bool = false, remote: String = "local"
    ) throws(Refusal) {
        let decoded = method == .options && target == "*" ? RequestTarget.asterisk : try RequestTarget(target)
        self.method = method
        self.target = target
        self.path = decoded.path
        self.query = decoded.query
        self.headers = headers
        self.contentLength = contentLength
        self.isChunked = isChunked
        self.remote = remote
    }

    /// Whether bytes of a body follow the head.
    public var announcesBody: Bool { isChunked || (contentLength ?? 0) > 0 }
}
