// Numbers in queries, paths and the headers of HTTP: only ASCII digits. Swift's own parsers accept a sign, and for floats
// `inf`, `nan` and hexadecimal digits, which a proxy may read differently; so all of these numbers are parsed here.

extension Int {
    /// The number written in digits; nil for anything else and for one that does not fit.
    public init?(digits text: some StringProtocol) {
        guard text.isDigits, let number = Int(text) else { return nil }
        self = number
    }

    /// As above, but the largest number for one that does not fit.
    public init?(clampingDigits text: some StringProtocol) {
        guard text.isDigits else { return nil }
        self = Int(text) ?? .max
    }
}

extension Double {
    /// The number written in digits with an optional fraction, such as `0.5`; nil for anything else.
    public init?(decimalDigits text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy(\.isDigits), let number = Double(text) else { return nil }
        self = number
    }
}

extension StringProtocol {
    fileprivate var isDigits: Bool { !isEmpty && utf8.allSatisfy(\.isDigit) }
}
