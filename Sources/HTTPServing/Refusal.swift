// Every reason for which this module itself refuses a request. The texts of answers belong to the application:
// `HTTPConfiguration.render` turns a refusal into a `Response`, and an exhaustive switch there misses none.

/// A request refused by the server before or instead of the application.
public enum Refusal: Error, Sendable, Hashable {
    /// The method is not a token.
    case malformedMethod
    /// The method is none that this server knows.
    case unknownMethod(String)
    /// The version is neither HTTP/1.0 nor HTTP/1.1.
    case unsupportedVersion(String)
    /// The target does not decode; `reason` says why.
    case malformedTarget(reason: String)
    /// The target is longer, or has more arguments, than the limit.
    case targetTooLong(limit: Int)
    /// A header's name or value holds a character that may not stand there.
    case malformedHeader(name: String)
    /// A line of the head does not end with CR LF, has an empty name, is folded or holds a NUL.
    case inexactHead
    /// The headers together exceed the limit in bytes.
    case headTooLarge(limit: Int)
    /// No Host.
    case missingHost
    /// More than one Host.
    case repeatedHost
    /// Host is not `name` or `name:port`.
    case malformedHost
    /// Host names a server that this one is not: a page of another site may be behind the request.
    case foreignHost(String)
    /// A page of another site has made a browser send a write; the header that says so.
    case foreignSite(String)
    /// Content-Length is not a decimal number that fits.
    case malformedContentLength
    /// More than one Content-Length.
    case repeatedContentLength
    /// Content-Length beside Transfer-Encoding, two Transfer-Encodings, or one in HTTP/1.0.
    case ambiguousLength
    /// Transfer-Encoding is not exactly `chunked`.
    case unknownTransferEncoding(String)
    /// A body with a method that has none.
    case unexpectedBody(Method)
    /// Expect is not `100-continue`.
    case unknownExpectation(String)
    /// The body's length is neither announced nor chunked.
    case lengthRequired
    /// The body is longer than the limit in bytes.
    case bodyTooLarge(limit: Int)
    /// The head took longer than its deadline.
    case headTimedOut
    /// The body arrived slower than the least rate in bytes per second.
    case bodyTimedOut(rate: Int)
    /// Room was needed, and this body was the slowest of those below a rate in bytes per second.
    case outpaced(rate: Int)
    /// What arrived cannot be read as HTTP/1.1: its first line, a header without a colon, a length, a chunk.
    case unreadable
    /// The body, or a chunk of it, announces more bytes than can be counted.
    case uncountable
    /// The answer does not fit into memory; the value is its size in bytes.
    case noRoomForAnswer(bytes: Int)
    /// As many connections as the limit are open.
    case tooManyConnections
    /// The server is stopping.
    case draining
    /// The server is stopping, and has not finished a request that may change something.
    case cutOff
}

extension Refusal {
    /// The status code that says it.
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
        case .malformedMethod: "The request method is not a token; send GET, HEAD, POST, PUT, PATCH or DELETE."
        case .unknownMethod(let name):
            "The method \(name) is not known here; send GET, HEAD, POST, PUT, PATCH or DELETE."
        case .unsupportedVersion(let version): "\(version) is not spoken here; send HTTP/1.1."
        case .malformedTarget(let reason): "The request target is malformed: \(reason)."
        case .targetTooLong(let limit):
            "The request target is too long; keep it below \(limit) bytes and \(HTTPConfiguration.maximumArguments) arguments."
        case .malformedHeader(let name): "The header '\(name)' holds a character that may not stand in a name or value."
        case .inexactHead:
            "A line of the head is not 'Name: value' that ends with CR LF; send each header on one line, without NUL."
        case .headTooLarge(let limit): "The headers are too large; keep them below \(limit) bytes together."
        case .missingHost: "The request has no Host header; send exactly one."
        case .repeatedHost: "The request has more than one Host header; send exactly one."
        case .malformedHost: "The Host header is not of the form name or name:port."
        case .foreignHost(let host): "This server does not answer for the host '\(host)'; add it to the allowed hosts."
        case .foreignSite(let header):
            "A page of another site may not write here (\(header.prefix(80))); serve the page from this address, or send the request from a program."
        case .malformedContentLength: "Content-Length is not a decimal number of bytes."
        case .repeatedContentLength: "The request has more than one Content-Length; send exactly one."
        case .ambiguousLength:
            "The length of the body is ambiguous; send Content-Length or Transfer-Encoding, not both."
        case .unknownTransferEncoding(let coding):
            "The transfer coding '\(coding)' is not known here; send Content-Length or Transfer-Encoding: chunked."
        case .unexpectedBody(let method): "A \(method.rawValue) request takes no body; leave it out."
        case .unknownExpectation(let expectation):
            "'\(expectation)' cannot be met; the only known expectation is 100-continue."
        case .lengthRequired:
            "The request has no body of known length; send Content-Length or Transfer-Encoding: chunked."
        case .bodyTooLarge(let limit): "The body is longer than the \(limit) bytes that are accepted here."
        case .headTimedOut: "The head of the request took too long to arrive."
        case .bodyTimedOut(let rate):
            "The body of the request came to a halt: fewer than \(rate) bytes a second arrived. Send it again."
        case .outpaced(let rate):
            "The server needed room, and this body was the slowest of those below \(rate) bytes a second. Send it again, faster or when less is going on."
        case .unreadable:
            "The request is not HTTP/1.1: the first line is 'METHOD /path HTTP/1.1', each header 'Name: value', Content-Length one decimal number, and a chunk begins with its length in hexadecimal digits."
        case .uncountable: "The body, or a chunk of it, announces more bytes than can be counted; send fewer."
        case .noRoomForAnswer(let bytes):
            "The answer takes \(bytes) bytes, more memory than is left; ask for less at a time, or try again."
        case .tooManyConnections: "Too many connections are open; close idle ones and try again."
        case .draining: "The server is stopping; try again after the time in Retry-After."
        case .cutOff: "The server is stopping and has not finished this request, which may or may not be kept."
        }
    }

    /// A plain-text answer, for programs that have no form of their own.
    public var plainResponse: Response {
        var headers = [(name: "Content-Type", value: "text/plain; charset=utf-8")]
        if status == 503 { headers.append((name: "Retry-After", value: "1")) }
        return Response(status: status, headers: headers, body: .bytes(Array((detail + "\n").utf8)))
    }
}
