// Problems as bytes.

import HTTPServing
import Names
import Optimizers
import TensorCoding

extension Problem {
    /// The answer that tells the problem; indented for curl.
    func response(for request: Request?) -> Response {
        var headers: [(name: String, value: String)] = [(name: "Cache-Control", value: "no-store")]
        if let retryAfter { headers.append((name: "Retry-After", value: "\(retryAfter)")) }
        if !allow.isEmpty { headers.append((name: "Allow", value: allow.joined(separator: ", "))) }
        if let fileSize { headers.append((name: "Content-Range", value: "bytes */\(fileSize)")) }
        let told = request.map { telling($0) } ?? self
        let indented = request?.headers["User-Agent"]?.hasPrefix("curl/") ?? false
        var response = Response.json(
            indented: indented, status: kind.status, type: "application/problem+json", headers: headers, told.write)
        response.asksForRoom = kind == .outOfMemory
        response.wantedRoom = wantedRoom
        response.payer = payer
        return response
    }

    /// The problem with a word on what became of a request that meant to change something, unless it says so already.
    private func telling(_ request: Request) -> Problem {
        let isWrite = [.post, .put, .patch, .delete].contains(request.method)
        guard isWrite, kind.changesNothing, !detail.contains("othing was applied") else { return self }
        var told = self
        // A command to paste stays at the end.
        let parts = detail.split(separator: " With curl:", maxSplits: 1)
        let ending = detail.hasSuffix(".") || detail.hasSuffix("?") || parts.count > 1 ? "" : "."
        told.detail = parts[0] + "\(ending) Nothing was applied." + (parts.count > 1 ? " With curl:\(parts[1])" : "")
        return told
    }

    private func write(_ writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("type", kind.type)
        writer.member("title", kind.title)
        writer.member("status", kind.status)
        writer.member("detail", detail.quotingShortly)
        if let exception { writer.member("exception", exception) }
        if let retryAfter { writer.member("retry_after", retryAfter) }
        if !items.isEmpty {
            writer.key("errors")
            writer.beginArray()
            for item in items { write(item, to: &writer) }
            writer.endArray()
        }
        writer.endObject()
    }

    private func write(_ item: Item, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("pointer", item.pointer)
        writer.member("detail", item.detail.quotingShortly)
        if let expected = item.expected { writer.shapeOrText("expected", expected) }
        if let got = item.got { writer.shapeOrText("got", got) }
        writer.endObject()
    }
}

extension JSONWriter {
    /// Writes a text, but a shape such as `[2, 3]` as the array that it is.
    fileprivate mutating func shapeOrText(_ name: Name, _ text: String) {
        key(name)
        let inner = text.dropFirst().dropLast().split(separator: ",").map { Int($0.trimmingSpaces()) }
        if text.hasPrefix("["), text.hasSuffix("]"), !inner.contains(nil) {
            integers(inner.compactMap { $0 })
        } else {
            string(text.quotingShortly)
        }
    }
}

extension String {
    /// The sentence with its long words cut in the middle: what a client sent need not come back whole to be recognized.
    ///
    /// The name of a parameter, with up to 256 characters, stays as it is.
    fileprivate var quotingShortly: String {
        guard utf8.count > Self.longestWord else { return self }
        let words = unicodeScalars.split(separator: " ", omittingEmptySubsequences: false).map { word in
            word.count > Self.longestWord ? "\(String(word.prefix(64)))...\(String(word.suffix(16)))" : String(word)
        }
        return words.joined(separator: " ")
    }

    private static var longestWord: Int { 300 }
}
