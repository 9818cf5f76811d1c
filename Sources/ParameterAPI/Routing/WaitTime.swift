// How long a request waits: `wait=30s`, `wait=500ms`, `wait=30`, or `Prefer: wait=30`. The query is followed or
// refused; the header is followed as far as possible.

import HTTPServing

extension Call {
    /// The time to wait; nil if the client does not wait.
    ///
    /// - Throws: `invalidQuery` for a query that is not a duration, or longer than five minutes.
    func waitTime() throws(Problem) -> Duration? {
        guard let text = query(.wait) else { return preferredWait.flatMap { $0 == .zero ? nil : $0 } }
        let longest = FixedLimits.longestWait
        guard let wait = Duration(text: text), wait <= .seconds(longest) else {
            throw Problem(
                .invalidQuery,
                "`wait` must be a time such as 30s, 500ms or 30, at most \(longest)s, not `\(text.prefix(40))`.")
        }
        return wait == .zero ? nil : wait
    }

    /// The wait in a `Prefer` header, limited to the longest, which the answer must confirm.
    ///
    /// - Returns: nil if there is no readable one, or if the query has `wait`.
    /// - Source: RFC 7240, sections 2 and 4.3.
    var preferredWait: Duration? {
        guard query(.wait) == nil, let text = Preferences(request.headers)["wait"] else { return nil }
        return Duration(text: text).map { min($0, .seconds(FixedLimits.longestWait)) }
    }

    /// The header that confirms the wait of a `Prefer` header; empty if the request has no such wait.
    var preferenceHeaders: [(name: String, value: String)] {
        guard let wait = preferredWait else { return [] }
        let (seconds, rest) = wait.components
        return [(name: "Preference-Applied", value: "wait=\(rest == 0 ? "\(seconds)" : "\(wait / .seconds(1))")")]
    }
}

extension StringProtocol where SubSequence == Substring {
    /// The text without spaces and tabs at both ends.
    func trimmingSpaces() -> String {
        var bytes = Substring(self).utf8[...]
        while let first = bytes.first, first.isBlank { bytes.removeFirst() }
        while let last = bytes.last, last.isBlank { bytes.removeLast() }
        return String(Substring(bytes))
    }

    /// The parts between separators; splits bytes, because a head may be long and splitting characters is slow.
    func parts(between separator: Unicode.Scalar, omittingEmpty: Bool = true) -> [Substring] {
        Substring(self).utf8.split(separator: UInt8(ascii: separator), omittingEmptySubsequences: omittingEmpty)
            .map { Substring($0) }
    }
}

extension UInt8 {
    fileprivate var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
}
