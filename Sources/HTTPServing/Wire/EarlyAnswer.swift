// An answer written straight to the socket, where libmicrohttpd accepts none: in the middle of a body, before a head is
// complete, or on a connection that it never received. The connection is closed afterwards.

import CMicroHTTPD
import Glibc

/// The bytes of an answer that closes the connection.
struct EarlyAnswer {
    private let bytes: [UInt8]

    init(_ response: Response) {
        let content = Self.content(of: response.body)
        let reason = String(cString: MHD_get_reason_phrase_for(UInt32(response.status)))
        var head = "HTTP/1.1 \(response.status) \(reason)\r\n"
        for field in response.headers { head += "\(field.name): \(field.value)\r\n" }
        head += "Date: \(Self.date(time(nil)))\r\nContent-Length: \(content.count)\r\nConnection: close\r\n\r\n"
        bytes = Array(head.utf8) + content
    }

    /// A time in the format of RFC 9110, 5.6.7.
    static func date(_ time: time_t) -> String {
        var (time, parts) = (time, tm())
        gmtime_r(&time, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return String(decoding: text.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func content(of body: Response.Body) -> [UInt8] {
        switch body {
        case .empty: return []
        case .bytes(let bytes): return bytes
        case .segments(let segments): return segments.flatMap { Array($0.bytes) }
        case .file, .stream:
            _ = body.discarded()
            return []
        }
    }

    /// Sends the answer and closes the sending side.
    ///
    /// Such short answers fit in the socket's empty buffer; a peer that has left loses it.
    func send(to descriptor: Int32) {
        _ = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        shutdown(descriptor, Int32(SHUT_WR))
    }
}
