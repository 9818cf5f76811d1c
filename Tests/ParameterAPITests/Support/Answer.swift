// The result of a request as a client sees it, with the content read to its end.

import Foundation
import Threading

@testable import HTTPServing

/// An answer with its whole content.
struct Answer {
    let status: Int
    let headers: [(name: String, value: String)]
    let body: [UInt8]

    /// Reads the content of a response to its end and releases it.
    init(_ response: Response) throws {
        status = response.status
        headers = response.headers
        body =
            switch response.body {
            case .empty: []
            case .bytes(let bytes): bytes
            case .segments(let segments): segments.flatMap { Array($0.bytes) }
            case .file(let range): Self.read(range)
            case .stream(let source): Self.read(source)
            }
    }

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The content as JSON; an empty object if it is not JSON.
    var json: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
    }

    subscript(name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }

    private static func read(_ range: Response.FileRange) -> [UInt8] {
        defer { close(range.descriptor) }
        var bytes = [UInt8](repeating: 0, count: range.count)
        let count = pread(range.descriptor, &bytes, range.count, off_t(range.offset))
        return Array(bytes.prefix(max(0, count)))
    }

    /// Takes what is available and waits for more, like a loop with a fast client.
    private static func read(_ source: any BodySource) -> [UInt8] {
        defer { source.close() }
        let isReadable = Locked(false)
        let change = Condition()
        var (bytes, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 16_384))
        while true {
            let wake: @Sendable () -> Void = {
                isReadable.withLock { $0 = true }
                change.signal()
            }
            switch buffer.withUnsafeMutableBytes({ source.read(into: $0, orElse: wake) }) {
            case .bytes(let count): bytes += buffer.prefix(count)
            case .end: return bytes
            case .later:
                isReadable.wait(for: change) { isReadable in
                    defer { isReadable = false }
                    return isReadable ? () : nil
                }
            }
        }
    }
}
