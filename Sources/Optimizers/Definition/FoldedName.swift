// Names as `String.folded` has them, without making a text for each: one is compared with thousands.

import Names

/// The bytes of a name in small letters and without `_`.
struct FoldedName {
    private let bytes: [UInt8]

    /// Folds a text.
    init(_ text: String) {
        bytes = text.utf8.filter { $0 != UInt8(ascii: "_") }.map(\.lowercased)
    }

    var count: Int { bytes.count }

    /// Whether a name folds to the same.
    func equals(_ name: Name) -> Bool { begins(name) == .wholly }

    /// How much of a name is these bytes.
    enum Part {
        case none
        case beginning
        case wholly
    }

    /// Whether a folded name begins with these bytes.
    func begins(_ name: Name) -> Part {
        var place = 0
        for byte in name.utf8 where byte != UInt8(ascii: "_") {
            guard place < bytes.count else { return .beginning }
            guard byte.lowercased == bytes[place] else { return .none }
            place += 1
        }
        return place == bytes.count ? .wholly : .none
    }

    /// Whether these bytes end with a folded name behind a `.`.
    func ends(with name: Name) -> Bool {
        var place = bytes.count
        for byte in name.utf8.reversed() where byte != UInt8(ascii: "_") {
            guard place > 0, byte.lowercased == bytes[place - 1] else { return false }
            place -= 1
        }
        return place > 0 && bytes[place - 1] == UInt8(ascii: ".")
    }
}
