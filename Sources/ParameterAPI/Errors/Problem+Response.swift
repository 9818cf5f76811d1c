// Problems as bytes.

import HTTPServing
import Names
import Optimizers
import TensorCoding

extension Problem {
    /// The answer with the problem; indented for curl.
    func response(for request: Request?) -> Response {
        var headers: [(name: String, value: String)] = [(name: "Cache-Control", value: "no-store")]
        if let retryAfter { headers.append((name: "Retry-After", value: "\(retryAfter)")) }
        if !allow.isEmpty { headers.append((name: "Allow", value: allow.joined(separator: ", "))) }
        if let fileSize { headers.append((name: "Content-Range", value: "bytes */\(fileSize)")) }
        let indented = request?.headers["User-Agent"]?.hasPrefix("curl/") ?? false
        let detail = detail(isWrite: request?.method.isWrite ?? true)
        var response = Response.json(
            indented: indented, status: kind.status, type: "application/problem+json", headers: headers
        ) { write(detail, to: &$0) }
        response.asksForRoom = kind == .outOfMemory
        response.wantedRoom = wantedRoom
        response.payer = payer
        return response
    }

    /// The sentences in order: what is wrong, what to do, what happened to the request, and a line to paste.
    func detail(isWrite: Bool) -> String {
        let fate = isWrite && outcome == .nothingApplied ? "Nothing was applied." : nil
        return [what, hint, fate, command.map { "With curl: \($0)" }].compactMap { $0 }.joined(separator: " ")
    }

    private func write(_ detail: String, to writer: inout JSONWriter) {
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
        if let expected = item.expected { writer.finding("expected", expected) }
        if let got = item.got { writer.finding("got", got) }
        writer.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func finding(_ name: Name, _ finding: Finding) {
        key(name)
        switch finding {
        case .words(let words): string(words.quotingShortly)
        case .shape(let dimensions): integers(dimensions)
        }
    }
}

extension Method {
    /// Whether a request of this method intends a change.
    fileprivate var isWrite: Bool { [.post, .put, .patch, .delete].contains(self) }
}

extension String {
    /// The sentence with long words cut in the middle: a client recognizes its input without seeing all of it.
    ///
    /// A parameter's name, with up to 256 characters, is never cut.
    fileprivate var quotingShortly: String {
        guard utf8.count > FixedLimits.quotedCharacters else { return self }
        let words = unicodeScalars.split(separator: " ", omittingEmptySubsequences: false).map { word in
            word.count > FixedLimits.quotedCharacters
                ? "\(String(word.prefix(64)))...\(String(word.suffix(16)))" : String(word)
        }
        return words.joined(separator: " ")
    }
}
