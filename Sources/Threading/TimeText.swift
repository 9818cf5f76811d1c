// Times in requests and definitions: `30s`, `500ms`, or bare seconds, with or without a fraction.

extension Duration {
    /// The longest time that is read, in seconds: 30 years, which is beyond every limit.
    private static let longestText = 1e9

    /// The time in a text such as `30s`, `500ms` or `1.5`; nil if it is not one, or negative.
    public init?(text: some StringProtocol) {
        let isMilliseconds = text.hasSuffix("ms")
        let digits = text.dropLast(isMilliseconds ? 2 : text.hasSuffix("s") ? 1 : 0)
        let isPlain = digits.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2e }
        let isWhole = digits.first != "." && digits.last != "."
        guard isPlain, isWhole, let number = Double(digits) else { return nil }
        self = .seconds(Swift.min(isMilliseconds ? number / 1000 : number, Self.longestText))
    }

    /// The time as text that `init(text:)` reads, to the millisecond: `29.5s`, `200ms`.
    public var text: String {
        let (seconds, attoseconds) = components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        if milliseconds == 0 { return "\(seconds)s" }
        return seconds == 0 ? "\(milliseconds)ms" : "\(Double(seconds * 1000 + milliseconds) / 1000)s"
    }
}
