// A name can be deleted and created again; a uid is never reused. It is part of ETags and cacheable URLs, so that no
// cache confuses two models.

/// The number of one creation of a model, written as 8 hex digits.
public struct ModelUID: Sendable, Hashable, CustomStringConvertible {
    /// The number itself.
    public let number: UInt32

    /// Makes a uid from its number.
    public init(number: UInt32) {
        self.number = number
    }

    /// Reads 8 hex digits; nil for anything else.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 8, let number = UInt32(text, radix: 16) else { return nil }
        self.number = number
    }

    /// 8 lower-case hex digits.
    public var description: String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
