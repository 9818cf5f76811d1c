// The admission gate: libmicrohttpd's parser is lenient, so every head is checked here before the application sees it.
// `Transaction` calls it in the first handler call, before any byte of the body is read.

/// A request's head as delivered by the parser.
struct Head {
    var method: String
    var target: String
    var version: String
    var fields: [(name: String, value: String)]
    /// Whether there is hidden data between target and version: a NUL and the bytes after it.
    var hidesBytes = false
    /// Whether its lines consist exactly of names and values, and end where the library says that the head ends.
    var isExact = true

    /// Whether a body follows immediately, as far as a possibly malformed head tells.
    var sendsBody: Bool {
        func holds(_ name: String) -> Bool { fields.contains { Headers.matches($0.name, name) } }
        return (holds("Content-Length") || holds("Transfer-Encoding")) && !holds("Expect")
    }
}

/// The rules for a head; the first one broken determines the answer.
struct Gate: Sendable {
    let configuration: HTTPConfiguration
    let hosts: HostRule

    /// The request for `head`.
    ///
    /// - Throws: the first rule broken. Framing is checked first, before anything that an application could refuse.
    func screen(_ head: Head, from remote: String) throws(Refusal) -> Request {
        try checkVersion(head.version)
        let method = try method(named: head.method)
        guard !head.hidesBytes else { throw .malformedTarget(reason: "it contains a NUL or more than one space") }
        try checkSizes(head)
        guard head.isExact else { throw .inexactHead }
        for field in head.fields { try check(field) }
        let headers = Headers(head.fields)
        let length = try bodyLength(headers, version: head.version)
        let form = TargetForm(head.target)
        try checkHost(headers, form, head)
        try SiteRule(hosts: hosts).check(headers, asking: form.authority ?? headers["Host"], by: method)
        try checkExpectation(headers)
        if method == .get || method == .head, length != .announced(0), length != .none {
            throw .unexpectedBody(method)
        }
        return try Request(
            method: method, target: form.origin, headers: headers, contentLength: length.announcement,
            isChunked: length == .chunked, remote: remote)
    }

    private func checkVersion(_ version: String) throws(Refusal) {
        guard version == "HTTP/1.1" || version == "HTTP/1.0" else { throw .unsupportedVersion(version) }
    }

    private func method(named name: String) throws(Refusal) -> Method {
        if let method = Method(rawValue: name) { return method }
        guard Self.isToken(name) else { throw .malformedMethod }
        throw .unknownMethod(name)
    }

    private func checkSizes(_ head: Head) throws(Refusal) {
        guard head.target.utf8.count <= configuration.maximumTargetBytes else {
            throw .targetTooLong(limit: configuration.maximumTargetBytes)
        }
        let size = head.fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard size <= configuration.maximumHeaderBytes else {
            throw .headTooLarge(limit: configuration.maximumHeaderBytes)
        }
    }

    private func check(_ field: (name: String, value: String)) throws(Refusal) {
        let isPlain = field.value.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }
        guard isPlain, Self.isToken(field.name), !Self.isFoldedFraming(field.name) else {
            throw .malformedHeader(name: field.name)
        }
    }

    /// Whether a name is a framing header with a folded line appended to it.
    ///
    /// The parser appends a folded line to the name of its header: `Transfer-Encoding:\r\n chunked` arrives as a header
    /// named `Transfer-Encodingchunked`, which a proxy in front may have read differently.
    private static func isFoldedFraming(_ name: String) -> Bool {
        ["Transfer-Encoding", "Content-Length", "Host"].contains { framing in
            name.utf8.count > framing.utf8.count && Headers.begins(name, with: framing)
        }
    }

    /// Checks the host of the request: that of the target if it has one, otherwise the Host header.
    ///
    /// Source: RFC 9112, sections 3.2 and 3.2.2. HTTP/1.0 has no Host, and browsers, which could be misled, do not use
    /// it.
    private func checkHost(_ headers: Headers, _ form: TargetForm, _ head: Head) throws(Refusal) {
        let values = headers.values(of: "Host")
        guard values.count <= 1 else { throw .repeatedHost }
        if values.isEmpty, head.version != "HTTP/1.0" { throw .missingHost }
        // Supervisors may not have a name to send.
        let isNamed = values.first.map { !$0.isEmpty } ?? false
        if let value = values.first, HostRule.name(of: value) == nil, isNamed || !isOpen(form, head.method) {
            throw .malformedHost
        }
        if let authority = form.authority, HostRule.name(of: authority) == nil {
            throw .malformedTarget(reason: "the scheme is not followed by a host, name or name:port")
        }
        guard let host = form.authority ?? values.first, !isOpen(form, head.method) else { return }
        try hosts.check(host)
    }

    /// Whether the request may name any host.
    private func isOpen(_ form: TargetForm, _ method: String) -> Bool {
        guard method == Method.get.rawValue || method == Method.head.rawValue else { return false }
        return configuration.openPaths.contains(String(form.origin.prefix { $0 != "?" }))
    }

    private func checkExpectation(_ headers: Headers) throws(Refusal) {
        for value in headers.values(of: "Expect") where !Headers.matches(value, "100-continue") {
            throw .unknownExpectation(value)
        }
    }

    /// Whether `text` is a token of RFC 9110, 5.6.2.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0.isLetter || $0.isDigit || "!#$%&'*+-.^_`|~".utf8.contains($0) }
    }
}
