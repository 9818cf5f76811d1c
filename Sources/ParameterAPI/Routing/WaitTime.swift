// How long a request is willing to wait: `wait=30s`, `wait=500ms`, `wait=30`, or `Prefer: wait=30`.

import HTTPServing

extension Call {
    /// The time to wait; nil when the client does not want to.
    ///
    /// - Throws: `invalidQuery` for what is no duration, and beyond five minutes.
    /// - Source: RFC 7240, section 4.3, for `Prefer: wait`.
    func waitTime() throws(Problem) -> Duration? {
        if let text = query("wait") { return try duration(text, of: "wait") }
        guard let seconds = preferredWait else { return nil }
        return try duration(seconds, of: "Prefer: wait")
    }

    /// Whether the wait came from a `Prefer` header, which the answer then has to confirm.
    var preferredWait: String? {
        guard query("wait") == nil else { return nil }
        for value in request.headers.values(of: "Prefer") {
            for preference in value.split(separator: ",") {
                let parts = preference.split(separator: "=", maxSplits: 1).map { $0.trimmingSpaces() }
                if parts.count == 2, parts[0].lowercased() == "wait" { return parts[1] }
            }
        }
        return nil
    }

    private func duration(_ text: String, of name: String) throws(Problem) -> Duration? {
        let milliseconds: Double? =
            if text.hasSuffix("ms") {
                Double(text.dropLast(2))
            } else if text.hasSuffix("s") {
                Double(text.dropLast()).map { $0 * 1000 }
            } else {
                Double(text).map { $0 * 1000 }
            }
        guard let milliseconds, milliseconds >= 0, milliseconds <= Double(FixedLimits.longestWait) * 1000 else {
            throw Problem(
                .invalidQuery,
                "`\(name)` is a time such as 30s, 500ms or 30, at most \(FixedLimits.longestWait)s, not `\(text.prefix(40))`."
            )
        }
        return milliseconds == 0 ? nil : .milliseconds(Int64(milliseconds))
    }
}

extension Substring {
    /// Without spaces and tabs at both ends.
    func trimmingSpaces() -> String {
        String(self.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
