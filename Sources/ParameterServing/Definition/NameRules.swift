// Which names a create request may give. What is on disk already is taken as it is.

import Names
import Optimizers

extension Name {
    /// Whether clients drop the name from a path as a step of it, even when it is percent-encoded.
    public var isPathStep: Bool { self == "." || self == ".." }

    /// The most characters of a parameter's name, which are code points.
    public static let longestParameter = 256

    /// The rule for names of parameters, in words.
    public static let parameterRule =
        "a parameter's name must be 1 to \(longestParameter) characters without # or control characters, other than `.`, `..` and __metadata__"

    /// Whether a parameter may be called so; characters are code points.
    public var isParameter: Bool {
        let isClean = text.unicodeScalars.allSatisfy {
            $0.value >= 0x20 && $0.value != 0x7f && $0 != "#" && !(0x80...0x9f).contains($0.value)
        }
        return isClean && (1...Self.longestParameter).contains(text.unicodeScalars.count) && self != "__metadata__"
            && !isPathStep
    }
}

extension ModelDefinition {
    /// Refuses names that no URL could reach.
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
