// Names that a Host header can hold, port left out.

import Glibc

/// Checks host names.
enum HostName {
    /// Whether the text is a name, an address, or `*.` and a name.
    static func isPattern(_ text: String) -> Bool {
        guard text.hasPrefix("*.") else { return isOne(text) }
        return !text.contains(":") && isOne(String(text.dropFirst(2)))
    }

    /// Whether the text is a name or an address, an IPv6 address with or without its brackets.
    static func isOne(_ text: String) -> Bool {
        if text.contains(":") {
            let isBracketed = text.hasPrefix("[") && text.hasSuffix("]")
            var address = in6_addr()
            return inet_pton(AF_INET6, isBracketed ? String(text.dropFirst().dropLast()) : text, &address) == 1
        }
        return !text.isEmpty && text.utf8.allSatisfy(isNameByte)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
