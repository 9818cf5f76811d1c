// All reasons for which this module itself refuses a request. The application writes the texts of answers:
// `HTTPConfiguration.render` turns a refusal into a `Response`, with an exhaustive switch.

/// A request refused by the server before, or in place of, the application.
public enum Refusal: Error, Sendable, Hashable {
    /// The method is not a token.
    case malformedMethod
    /// The method is not supported.
    case unknownMethod(String)
    /// The version is neither HTTP/1.0 nor HTTP/1.1.
    case unsupportedVersion(String)
    /// The target cannot be decoded; `reason` says why.
    case malformedTarget(reason: String)
    /// The target is longer, or has more arguments, than the limit.
    case targetTooLong(limit: Int)
    /// A header's name or value contains a character that is not allowed there.
    case malformedHeader(name: String)
    /// A line of the head does not end with CR LF, has an empty name, is folded or contains a NUL.
    case inexactHead
    /// The headers together exceed the limit in bytes.
    case headTooLarge(limit: Int)
    /// No Host.
    case missingHost
    /// More than one Host.
    case repeatedHost
    /// Host is not `name` or `name:port`.
    case malformedHost
    /// Host names another server: a page of another site may be behind the request.
    case foreignHost(String)
    /// A page of another site made a browser send a write; the value is the header that shows it.
    case foreignSite(String)
    /// Content-Length is not a decimal number that fits.
    case malformedContentLength
    /// More than one Content-Length.
    case repeatedContentLength
    /// Content-Length together with Transfer-Encoding, two Transfer-Encodings, or one in HTTP/1.0.
    case ambiguousLength
    /// Transfer-Encoding is not exactly `chunked`.
    case unknownTransferEncoding(String)
    /// A body with a method that must not have one.
    case unexpectedBody(Method)
    /// Expect is not `100-continue`.
    case unknownExpectation(String)
    /// The body's length is neither announced nor chunked.
    case lengthRequired
    /// The body is longer than the limit in bytes.
    case bodyTooLarge(limit: Int)
    /// The head took longer than its time limit.
    case headTimedOut
    /// The body arrived more slowly than the lowest rate in bytes per second.
    case bodyTimedOut(rate: Int)
    /// Room was needed, and this body was the slowest below a rate in bytes per second.
    case outpaced(rate: Int)
    /// The input is not HTTP/1.1: its first line, a header without a colon, a length, or a chunk.
    case unreadable
    /// The body, or a chunk of it, announces more bytes than a 64-bit integer can count.
    case uncountable
    /// The answer does not fit in memory; the value is its size in bytes.
    case noRoomForAnswer(bytes: Int)
    /// The limit of open connections is reached.
    case tooManyConnections
    /// The server is stopping.
    case draining
    /// The server is stopping and has not finished a request that may change something.
    case cutOff
}

extension Refusal {
    /// Its status code.
    public var status: Int {
        switch self {
        case .malformedMethod, .malformedTarget, .malformedHeader, .inexactHead, .missingHost, .repeatedHost,
            .malformedHost,
            .malformedContentLength, .repeatedContentLength, .ambiguousLength, .unexpectedBody, .unreadable:
            400
        case .foreignSite: 403
        case .headTimedOut, .bodyTimedOut, .outpaced: 408
        case .lengthRequired: 411
        case .bodyTooLarge, .uncountable: 413
        case .targetTooLong: 414
        case .unknownExpectation: 417
        case .foreignHost: 421
        case .headTooLarge: 431
        case .unknownMethod, .unknownTransferEncoding: 501
        case .tooManyConnections, .draining, .cutOff, .noRoomForAnswer: 503
        case .unsupportedVersion: 505
        }
    }

    /// One sentence that says what to change.
    public var detail: String {
        switch self {
        case .malformedMethod: "The request method is malformed; send GET, HEAD, POST, PUT, PATCH or DELETE."
        case .unknownMethod(let name):
            "The method \(name) is not supported; send GET, HEAD, POST, PUT, PATCH or DELETE."
        case .unsupportedVersion(let version): "\(version) is not supported; send HTTP/1.1."
        case .malformedTarget(let reason): "The request target is malformed: \(reason)."
        case .targetTooLong(let limit):
            "The request target is too long; keep it below \(limit) bytes and \(HTTPConfiguration.maximumArguments) arguments."
        case .malformedHeader(let name):
            "The header '\(name)' contains a character that is not allowed there; remove it."
        case .inexactHead:
            "A header line is malformed; send each header as 'Name: value' on one line that ends with CR LF, without NUL."
        case .headTooLarge(let limit): "The headers are too large; keep them below \(limit) bytes in total."
        case .missingHost: "The request has no Host header; send exactly one."
        case .repeatedHost: "The request has more than one Host header; send exactly one."
        case .malformedHost: "The Host header is malformed; send name or name:port."
        case .foreignHost(let host): "This server does not answer for the host '\(host)'; add it to the allowed hosts."
        case .foreignSite(let header):
            "Pages of other sites may not write here (\(header.prefix(80))); serve the page from this address, or send the request from a program."
        case .malformedContentLength: "Content-Length is malformed; send the number of bytes in decimal digits."
        case .repeatedContentLength: "The request has more than one Content-Length; send exactly one."
        case .ambiguousLength:
            "The length of the body is ambiguous; send Content-Length or Transfer-Encoding, not both."
        case .unknownTransferEncoding(let coding):
            "The transfer coding '\(coding)' is not supported; send Content-Length or Transfer-Encoding: chunked."
        case .unexpectedBody(let method): "A \(method.rawValue) request cannot have a body; leave it out."
        case .unknownExpectation(let expectation):
            "The expectation '\(expectation)' is not supported; use 100-continue or leave Expect out."
        case .lengthRequired:
            "The request does not give the length of its body; send Content-Length or Transfer-Encoding: chunked."
        case .bodyTooLarge(let limit): "The body is longer than \(limit) bytes, the limit for this request."
        case .headTimedOut: "The head of the request took too long to arrive; send it again."
        case .bodyTimedOut(let rate):
            "The body arrived too slowly, below \(rate) bytes per second; send it again."
        case .outpaced(let rate):
            "The server ran short of room and dropped this body, the slowest of those below \(rate) bytes per second; send it again, faster or at a quieter time."
        case .unreadable:
            "The request is not valid HTTP/1.1; send 'METHOD /path HTTP/1.1', then each header as 'Name: value', one decimal Content-Length, and each chunk after its length in hexadecimal digits."
        case .uncountable: "The body, or a chunk of it, announces more bytes than the server can count; send fewer."
        case .noRoomForAnswer(let bytes):
            "The answer needs \(bytes) bytes, more memory than is free; ask for less at a time, or try again."
        case .tooManyConnections: "Too many connections are open; close idle ones and try again."
        case .draining: "The server is stopping; try again after the time in Retry-After."
        case .cutOff: "The server is stopping before it finished this request, which may or may not have been applied."
        }
    }

    /// A plain-text answer, for programs without their own format.
    public var plainResponse: Response {
        var headers = [(name: "Content-Type", value: "text/plain; charset=utf-8")]
        if status == 503 { headers.append((name: "Retry-After", value: "1")) }
        return Response(status: status, headers: headers, body: .bytes(Array((detail + "\n").utf8)))
    }
}
