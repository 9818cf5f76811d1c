// Numbers of headers, queries and paths: ASCII digits and nothing else. Swift's own readers take a sign, and for floats
// `inf`, `nan` and hexadecimal digits, which a proxy in between reads otherwise; so everything on the wire is read with these.

extension Int {
    /// The number that a text of digits says; nil for anything else and for one that does not fit.
    public init?(digits text: some StringProtocol) {
        guard text.isDigits, let number = Int(text) else { return nil }
        self = number
    }

    /// The same, but the largest number for one that does not fit.
    public init?(clampingDigits text: some StringProtocol) {
        guard text.isDigits else { return nil }
        self = Int(text) ?? .max
    }
}

extension Double {
    /// The number that digits and perhaps a fraction say, such as `0.5`; nil for anything else.
    public init?(decimalDigits text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy(\.isDigits), let number = Double(text) else { return nil }
        self = number
    }
}

extension StringProtocol {
    fileprivate var isDigits: Bool { !isEmpty && utf8.allSatisfy(\.isDigit) }
}
