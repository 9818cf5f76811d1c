// The Host headers that this server accepts. A page whose own name was pointed here (DNS rebinding) sends that name and
// is refused. Used by the gate.

import Glibc

/// The host names that requests may use; ports are not compared.
struct HostRule: Sendable {
    private let allowed: Set<String>
    private let listed: Set<String>
    /// Suffixes of allowed names, each with its leading dot.
    private let suffixes: [String]
    private let allowsAddresses: Bool

    /// Allows the loopback names, `listening` and the configured hosts.
    ///
    /// - `allowsAddresses`: also every address literal. A browser sends one only if the page itself asks for that
    ///   address, so nothing is rebound; and a server reachable from outside has addresses that it does not know.
    init(listening: String, configured: [String], allowsAddresses: Bool = false) {
        let patterns = configured.map { $0.lowercased() }.filter { $0.hasPrefix("*.") }
        let names = ["localhost", "127.0.0.1", "[::1]", listening] + configured
        listed = Set(configured.map { Self.bracketed($0.lowercased()) })
        allowed = Set(names.map { Self.bracketed($0.lowercased()) })
        suffixes = patterns.map { String($0.dropFirst()) }
        self.allowsAddresses = allowsAddresses
    }

    /// Checks the host of a request, as in its Host header.
    func check(_ value: String) throws(Refusal) {
        guard let name = Self.name(of: value) else { throw .malformedHost }
        guard allows(name.lowercased()) else { throw .foreignHost(name) }
    }

    /// Whether the name is one of the configured hosts, not one that every server accepts.
    func isListed(_ name: String) -> Bool { listed.contains(name) || isBelowSuffix(name) }

    private func allows(_ name: String) -> Bool {
        allowed.contains(name) || isBelowSuffix(name) || (allowsAddresses && Self.isAddress(name))
    }

    private func isBelowSuffix(_ name: String) -> Bool {
        suffixes.contains { name.hasSuffix($0) && name.utf8.count > $0.utf8.count }
    }

    private static func isAddress(_ name: String) -> Bool {
        var (four, six) = (in_addr(), in6_addr())
        guard name.hasPrefix("[") else { return inet_pton(AF_INET, name, &four) == 1 }
        return inet_pton(AF_INET6, String(name.dropFirst().dropLast()), &six) == 1
    }

    /// The host without its port; nil if `value` is not `name` or `name:port`.
    static func name(of value: String) -> String? {
        let bytes = value.utf8
        let end: String.Index
        if value.hasPrefix("[") {
            guard let bracket = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            end = bytes.index(after: bracket)
        } else {
            end = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
        }
        guard end > bytes.startIndex, isPort(bytes[end...]), bytes[..<end].allSatisfy(isHostByte) else { return nil }
        return String(value[..<end])
    }

    private static func isPort(_ bytes: Substring.UTF8View) -> Bool {
        guard let colon = bytes.first else { return true }
        return colon == UInt8(ascii: ":") && bytes.count <= 6 && bytes.dropFirst().allSatisfy(\.isDigit)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        HostName.isNameByte(byte) || "~:[]".utf8.contains(byte)
    }

    private static func bracketed(_ name: String) -> String {
        name.utf8.contains(UInt8(ascii: ":")) && !name.hasPrefix("[") ? "[\(name)]" : name
    }
}
