// An answer as a value. Made by applications, on any thread; turned into bytes by the loop that owns the connection.

import Glibc

/// An answer to one request.
public struct Response: Sendable {
    /// The status code.
    public var status: Int
    /// Header fields; `Date`, `Content-Length` and `Connection` are added by the server.
    public var headers: [(name: String, value: String)]
    /// The content.
    public var body: Body
    /// Whether the connection ends after this answer.
    public var closesConnection = false
    /// Whether the request failed for want of memory, so that the server had better let go of its slowest transfers.
    public var asksForRoom = false
    /// How many bytes it wanted; the slowest go until that much has come back, or one of them where it is not known.
    public var wantedRoom = 0
    /// Whose bodies are to give it, one of `BodyReceiver.payers`; nil for any transfer.
    public var payer: String?
    /// What the program has reserved for the body and lends until its last byte has left; the server asks for the memory of
    /// an answer without it.
    public var loan: (any AnyObject & Sendable)?

    /// Makes an answer.
    public init(status: Int, headers: [(name: String, value: String)] = [], body: Body = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The content of an answer; to `HEAD` only its length is sent.
    public enum Body: Sendable {
        /// No content.
        case empty
        /// Bytes that are copied once when the answer is queued; meant for small answers.
        case bytes([UInt8])
        /// Memory sent where it is; each segment's owner is kept until the last byte has left.
        case segments([Segment])
        /// A range of an open file, which is closed after the answer.
        case file(FileRange)
        /// Bytes that are made while they are sent; in chunks where their number is not known.
        case stream(any BodySource)
    }

    /// Memory that someone else owns.
    public struct Segment: @unchecked Sendable {
        /// What keeps `bytes` valid and unchanged.
        public let owner: AnyObject
        /// The memory to send.
        public let bytes: UnsafeRawBufferPointer

        /// Makes a segment; `bytes` must stay valid and unchanged as long as `owner` lives.
        public init(owner: AnyObject, bytes: UnsafeRawBufferPointer) {
            self.owner = owner
            self.bytes = bytes
        }
    }

    /// A range of a file.
    public struct FileRange: Sendable {
        /// The open file; it now belongs to the answer.
        public let descriptor: Int32
        /// First byte.
        public let offset: Int
        /// Number of bytes.
        public let count: Int

        /// Makes a range of an open file, whose descriptor passes to the answer.
        public init(descriptor: Int32, offset: Int, count: Int) {
            self.descriptor = descriptor
            self.offset = offset
            self.count = count
        }
    }
}

extension Response.Body {
    /// Number of bytes; of those that are made while they are sent, how many there are at a time.
    public var count: Int {
        switch self {
        case .empty: 0
        case .bytes(let bytes): bytes.count
        case .segments(let segments): segments.reduce(0) { $0 + $1.bytes.count }
        case .file(let range): range.count
        case .stream(let source): source.heldBytes
        }
    }

    /// No content in place of this one, which is not going to be sent: its file or its source is closed.
    func discarded() -> Self {
        switch self {
        case .file(let range): close(range.descriptor)
        case .stream(let source): source.close()
        case .empty, .bytes, .segments: break
        }
        return .empty
    }
}
