// An answer as a value. Applications make it on any thread; the loop that owns the connection sends it.

import Glibc

/// An answer to one request.
public struct Response: Sendable {
    /// The status code.
    public var status: Int
    /// Header fields; the server adds `Date`, `Content-Length` and `Connection`.
    public var headers: [(name: String, value: String)]
    /// The content.
    public var body: Body
    /// Whether to close the connection after this answer.
    public var closesConnection = false
    /// Whether the request failed for lack of memory, so that the server should cut its slowest transfers.
    public var asksForRoom = false
    /// The number of bytes it needed; the slowest transfers are cut until that is free, or one of them if unknown.
    public var wantedRoom = 0
    /// Whose bodies to cut, one of `BodyReceiver.payers`; nil for any transfer.
    public var payer: String?
    /// The program's reservation for the body, held until its last byte has been sent; without it, the server asks for
    /// the memory of the answer.
    public var loan: (any AnyObject & Sendable)?

    /// Makes an answer.
    public init(status: Int, headers: [(name: String, value: String)] = [], body: Body = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The content of an answer; for `HEAD` only its length is sent.
    public enum Body: Sendable {
        /// No content.
        case empty
        /// Bytes that are copied once when the answer is queued; for small answers.
        case bytes([UInt8])
        /// Memory that is sent without a copy; each segment's owner is kept until the last byte has been sent.
        case segments([Segment])
        /// A range of an open file, which is closed after the answer.
        case file(FileRange)
        /// Bytes that are produced while they are sent; in chunks if their number is unknown.
        case stream(any BodySource)
    }

    /// Memory with an owner.
    public struct Segment: @unchecked Sendable {
        /// Keeps `bytes` valid and unchanged.
        public let owner: AnyObject
        /// The memory to send.
        public let bytes: UnsafeRawBufferPointer

        /// Makes a segment; `bytes` must stay valid and unchanged as long as `owner` exists.
        public init(owner: AnyObject, bytes: UnsafeRawBufferPointer) {
            self.owner = owner
            self.bytes = bytes
        }
    }

    /// A range of a file.
    public struct FileRange: Sendable {
        /// The open file, which the answer now owns.
        public let descriptor: Int32
        /// The offset of the first byte.
        public let offset: Int
        /// The number of bytes.
        public let count: Int

        /// Makes a range of an open file and takes ownership of its descriptor.
        public init(descriptor: Int32, offset: Int, count: Int) {
            self.descriptor = descriptor
            self.offset = offset
            self.count = count
        }
    }
}

extension Response.Body {
    /// The number of bytes; for content that is produced while it is sent, how many exist at a time.
    public var count: Int {
        switch self {
        case .empty: 0
        case .bytes(let bytes): bytes.count
        case .segments(let segments): segments.reduce(0) { $0 + $1.bytes.count }
        case .file(let range): range.count
        case .stream(let source): source.heldBytes
        }
    }

    /// Replaces content that will not be sent with none: closes its file or its source.
    func discarded() -> Self {
        switch self {
        case .file(let range): close(range.descriptor)
        case .stream(let source): source.close()
        case .empty, .bytes, .segments: break
        }
        return .empty
    }
}
