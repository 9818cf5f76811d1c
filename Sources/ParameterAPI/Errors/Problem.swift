// All error answers: RFC 9457 problem details. A problem is data until `response` writes it; no text is ever
// searched or parsed.

import HTTPServing
import Names
import Optimizers
import TensorCoding

/// An error as seen by the client.
struct Problem: Error {
    /// One mistake in the request's content.
    struct Item {
        /// JSON pointer into the body; empty for the whole body.
        var pointer: String
        /// The header that has the mistake, instead of a place in the body.
        var header: String?
        var detail: String
        var expected: Finding?
        var got: Finding?
    }

    /// What happened to a request that intended a change.
    enum Outcome {
        /// Nothing was applied; the answer to a write says so.
        case nothingApplied
        /// It may have been applied; `what` explains.
        case told
    }

    /// The kind; its page is served at `/problems/<slug>`.
    var kind: ProblemKind
    /// What is wrong, in a sentence with the value.
    var what: String
    /// What to do about it.
    var hint: String?
    /// A shell command that does it.
    var command: String?
    /// What happened to the request.
    var outcome: Outcome
    /// The places in the body, if there are any.
    var items: [Item] = []
    /// The figures of the refusal as members of the document.
    var figures: [SettingValue.Entry] = []
    /// The exception that MindSpore raises for the same mistake.
    var exception: String?
    /// The number of seconds after which to retry.
    var retryAfter: Int?
    /// The bytes of memory that were missing.
    var wantedRoom = 0
    /// The payer whose bodies must make room; nil if any payer's may.
    var payer: String?
    /// The methods that the path supports, for 405.
    var allow: [String] = []
    /// The size of the requested file, for 416.
    var fileSize: Int?

    init(_ kind: ProblemKind, _ what: String, hint: String? = nil, command: String? = nil) {
        self.kind = kind
        self.what = what
        self.hint = hint
        self.command = command
        self.outcome = kind.outcome
    }
}

extension Problem {
    /// The answer with the problem; indented for curl.
    func response(for request: Request?) -> Response {
        var headers: [(name: String, value: String)] = [(name: "Cache-Control", value: "no-store")]
        if let retryAfter { headers.append((name: "Retry-After", value: "\(retryAfter)")) }
        if !allow.isEmpty { headers.append((name: "Allow", value: allow.joined(separator: ", "))) }
        if let fileSize { headers.append((name: "Content-Range", value: "bytes */\(fileSize)")) }
        let indented = request?.headers["User-Agent"]?.hasPrefix("curl/") ?? false
        let isWrite = request?.method.isWrite ?? true
        var response = Response.json(
            indented: indented, status: kind.status, type: "application/problem+json", headers: headers
        ) { write(to: &$0, isWrite: isWrite) }
        askForRoom(in: &response)
        return response
    }

    /// Notes in an answer that memory was missing.
    func askForRoom(in response: inout Response) {
        response.asksForRoom = kind == .outOfMemory
        response.wantedRoom = wantedRoom
        response.payer = payer
    }

    /// The sentences in order: what is wrong, what to do, what happened to the request, and a line to paste.
    func detail(isWrite: Bool) -> String {
        let fate = isWrite && outcome == .nothingApplied ? "Nothing was applied." : nil
        return [what, hint, fate, command.map { "With curl: \($0)" }].compactMap { $0 }.joined(separator: " ")
    }

    /// Writes the problem's members.
    ///
    /// - Parameter isWrite: whether it is about a request that intends a change.
    func write(to writer: inout JSONWriter, isWrite: Bool) {
        writer.beginObject()
        writer.member("type", kind.type)
        writer.member("title", kind.title)
        writer.member("status", kind.status)
        writer.member("detail", detail(isWrite: isWrite).quotingShortly)
        if let exception { writer.member("exception", exception) }
        if let retryAfter { writer.member("retry_after", retryAfter) }
        for figure in figures {
            writer.key(figure.key)
            writer.setting(figure.value)
        }
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
        if let header = item.header { writer.member("header", header) } else { writer.member("pointer", item.pointer) }
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
