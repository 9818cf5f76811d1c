// Syntax of the names in a Host header, without port; for readers of headers and settings.

import Glibc

/// Checks host names.
public enum HostName {
    /// Whether the text is a name, an address, or `*.` followed by a name.
    public static func isPattern(_ text: String) -> Bool {
        guard text.hasPrefix("*.") else { return isOne(text) }
        return !text.contains(":") && isOne(String(text.dropFirst(2)))
    }

    /// Whether the text is a name or an address, an IPv6 address with or without its brackets.
    public static func isOne(_ text: String) -> Bool {
        if text.contains(":") {
            let isBracketed = text.hasPrefix("[") && text.hasSuffix("]")
            var address = in6_addr()
            return inet_pton(AF_INET6, isBracketed ? String(text.dropFirst().dropLast()) : text, &address) == 1
        }
        return !text.isEmpty && text.utf8.allSatisfy(isNameByte)
    }

    static func isNameByte(_ byte: UInt8) -> Bool {
        byte.isLetter || byte.isDigit || "-._".utf8.contains(byte)
    }
}
