// The names that a create request may use. Names on disk are accepted as they are.

import Names
import Optimizers

extension Name {
    /// Whether clients treat the name as a relative step of a path, even if it is percent-encoded.
    public var isPathStep: Bool { self == "." || self == ".." }

    /// The most characters (code points) of a parameter's name.
    public static let longestParameter = 256

    /// The rule for names of parameters, in words.
    public static let parameterRule =
        "a parameter's name must be 1 to \(longestParameter) characters without # or control characters, other than `.`, `..` and __metadata__"

    /// Whether a parameter may have this name; characters are code points.
    public var isParameter: Bool {
        let isClean = text.unicodeScalars.allSatisfy {
            $0.value >= 0x20 && $0.value != 0x7f && $0 != "#" && !(0x80...0x9f).contains($0.value)
        }
        return isClean && (1...Self.longestParameter).contains(text.unicodeScalars.count) && self != "__metadata__"
            && !isPathStep
    }
}

extension ModelDefinition {
    /// Refuses names that no URL can contain.
    ///
    /// - Throws: `invalid`.
    func checkNames() throws(ServingError) {
        for parameter in parameters where !parameter.definition.name.isParameter {
            throw .invalid([
                Complaint(pointer: "/parameters", exception: .valueError, detail: Name.parameterRule)
            ])
        }
        for (place, group) in (settings["groups"]?.elements ?? []).enumerated() {
            guard let name = group["name"]?.stringValue, Name(name).isPathStep else { continue }
            throw .invalid([
                Complaint(
                    pointer: "/groups/\(place)/name", exception: .valueError,
                    detail: "a group cannot be named `\(name)`, which no URL can reach; choose another name")
            ])
        }
    }
}
