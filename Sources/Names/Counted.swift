// Numbers with their nouns, in sentences for users.

extension Int {
    /// The number and the noun that fits: `1 entry`, `2 entries`.
    public func counted(_ one: String, _ many: String) -> String { "\(self) \(self == 1 ? one : many)" }
}
