// Which Host headers this server answers to. A page of another site whose name was made to point here (DNS rebinding)
// sends its own name, and is refused. Used by the gate.

import Glibc

/// The names under which a server may be asked; ports are not compared.
struct HostRule: Sendable {
    private let allowed: Set<String>
    private let listed: Set<String>
    /// Ends of allowed names, each with its leading dot.
    private let suffixes: [String]
    private let allowsAddresses: Bool

    /// Allows the loopback names, `listening` and the configured hosts.
    ///
    /// - `allowsAddresses`: every address literal too. A page cannot make a browser send one but by asking that address
    ///   itself, so there is nothing to rebind; and a server that others reach has addresses that it does not know.
    init(listening: String, configured: [String], allowsAddresses: Bool = false) {
        let patterns = configured.map { $0.lowercased() }.filter { $0.hasPrefix("*.") }
        let names = ["localhost", "127.0.0.1", "[::1]", listening] + configured
        listed = Set(configured.map { Self.bracketed($0.lowercased()) })
        allowed = Set(names.map { Self.bracketed($0.lowercased()) })
        suffixes = patterns.map { String($0.dropFirst()) }
        self.allowsAddresses = allowsAddresses
    }

    /// Checks the host that a request is meant for, as in its Host header.
    func check(_ value: String) throws(Refusal) {
        guard let name = Self.name(of: value) else { throw .malformedHost }
        guard allows(name.lowercased()) else { throw .foreignHost(name) }
    }

    /// Whether the name is one of the configured, and not of those that every server has.
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

    /// The host's name without its port; nil where `value` is not `name` or `name:port`.
    static func name(of value: String) -> String? {
        let bytes = value.utf8
        let end: String.Index
        if value.hasPrefix("[") {
            guard let bracket = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            end = bytes.index(after: bracket)
        } else {
            end = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
        }
        guard end > bytes.startIndex, isPort(bytes[end...]), bytes[..<end].allSatisfy(isNameByte) else { return nil }
        return String(value[..<end])
    }

    private static func isPort(_ bytes: Substring.UTF8View) -> Bool {
        guard let colon = bytes.first else { return true }
        return colon == UInt8(ascii: ":") && bytes.count <= 6 && bytes.dropFirst().allSatisfy(\.isDigit)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        HostName.isNameByte(byte) || "~:[]".utf8.contains(byte)
    }

    private static func bracketed(_ name: String) -> String {
        name.utf8.contains(UInt8(ascii: ":")) && !name.hasPrefix("[") ? "[\(name)]" : name
    }
}
