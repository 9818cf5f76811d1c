// JSON pointers: where in a body a mistake is. Every complaint about a document names its place by one.

/// JSON pointers (RFC 6901).
public enum JSONPointer {
    /// A key as one part of a pointer: `~` becomes `~0`, `/` becomes `~1`.
    public static func escape(_ key: String) -> String {
        guard key.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return key }
        var pointer = ""
        for scalar in key.unicodeScalars {
            switch scalar {
            case "~": pointer += "~0"
            case "/": pointer += "~1"
            default: pointer.unicodeScalars.append(scalar)
            }
        }
        return pointer
    }
}
