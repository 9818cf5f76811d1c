// A `Response` in libmicrohttpd's form. Segments are passed without a copy, and their owners are kept until the library
// frees the answer. Used by the loop's handler.

import CHTTPFailures
import CMicroHTTPD
import Glibc

/// Queues an answer on a connection.
///
/// For 204 and 304 the library would send a body if there were one, so they get none. It does write `Content-Length: 0`
/// into a 304; caches ignore that.
///
/// - Parameter reader: makes the reader of a body that is produced while it is sent.
/// - Returns: whether the library accepted it; if not, close the connection.
func queue(
    _ response: Response, on connection: OpaquePointer, closing: Bool, reader: (any BodySource) -> StreamReader
) -> Bool {
    let hasContent = response.status != 204 && response.status != 304
    guard let made = makeResponse(hasContent ? response.body : response.body.discarded(), reader) else { return false }
    defer { MHD_destroy_response(made) }
    for field in response.headers { _ = MHD_add_response_header(made, field.name, field.value) }
    if closing || response.closesConnection { _ = MHD_add_response_header(made, "Connection", "close") }
    return http_queue_response(connection, UInt32(response.status), made) == .YES
}

private func makeResponse(
    _ body: Response.Body, _ reader: (any BodySource) -> StreamReader
) -> OpaquePointer? {
    switch body {
    case .empty:
        makeEmptyResponse()
    case .bytes(var bytes):
        bytes.withUnsafeMutableBytes {
            MHD_create_response_from_buffer($0.count, $0.baseAddress, .RESPMEM_MUST_COPY)
        }
    case .segments(let segments):
        makeResponse(segments)
    case .file(let range):
        makeResponse(range)
    case .stream(let source):
        reader(source).response()
    }
}

private func makeEmptyResponse() -> OpaquePointer? { MHD_create_response_from_buffer(0, nil, .RESPMEM_PERSISTENT) }

private func makeResponse(_ range: Response.FileRange) -> OpaquePointer? {
    let made = MHD_create_response_from_fd_at_offset64(
        UInt64(max(0, range.count)), range.descriptor, UInt64(max(0, range.offset)))
    if made == nil { close(range.descriptor) }
    return made
}

/// With more pieces than one system call accepts, the library sends too little or aborts; this leaves a margin.
private let mostVectors = 512

private func makeResponse(_ segments: [Response.Segment]) -> OpaquePointer? {
    let pieces = segments.filter { !$0.bytes.isEmpty }
    guard !pieces.isEmpty else { return makeEmptyResponse() }
    guard pieces.count <= mostVectors else { return PieceReader(pieces).response() }
    let vectors = pieces.map { MHD_IoVec(iov_base: $0.bytes.baseAddress, iov_len: $0.bytes.count) }
    let owners = Unmanaged.passRetained(Owners(pieces.map(\.owner)))
    let made = MHD_create_response_from_iovec(
        vectors, UInt32(vectors.count),
        { context in context.map { Unmanaged<Owners>.fromOpaque($0).release() } }, owners.toOpaque())
    if made == nil { owners.release() }
    return made
}

/// Keeps the memory of an answer alive while the library sends it.
private final class Owners {
    private let owners: [AnyObject]

    init(_ owners: [AnyObject]) { self.owners = owners }
}
