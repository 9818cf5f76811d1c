// Names in the form of `String.folded`, without making a string for each: one name is compared with thousands.

import Names

/// The bytes of a name in lower case and without `_`.
struct FoldedName {
    private let bytes: [UInt8]

    /// Folds a text.
    init(_ text: String) {
        bytes = text.utf8.filter { $0 != UInt8(ascii: "_") }.map(\.lowercased)
    }

    var count: Int { bytes.count }

    /// Whether a name folds to the same bytes.
    func equals(_ name: Name) -> Bool { begins(name) == .wholly }

    /// How much of a name these bytes match.
    enum Part {
        case none
        case beginning
        case wholly
    }

    /// Whether the folded name begins with these bytes.
    func begins(_ name: Name) -> Part {
        var place = 0
        for byte in name.utf8 where byte != UInt8(ascii: "_") {
            guard place < bytes.count else { return .beginning }
            guard byte.lowercased == bytes[place] else { return .none }
            place += 1
        }
        return place == bytes.count ? .wholly : .none
    }

    /// Whether the folded name ends with these bytes after a `.`.
    func ends(with name: Name) -> Bool {
        var place = bytes.count
        for byte in name.utf8.reversed() where byte != UInt8(ascii: "_") {
            guard place > 0, byte.lowercased == bytes[place - 1] else { return false }
            place -= 1
        }
        return place > 0 && bytes[place - 1] == UInt8(ascii: ".")
    }
}
