// Which Host headers this server answers to. A page of another site whose name was made to point here (DNS rebinding)
// sends its own name, and is refused. Used by the gate.

/// The names under which a server may be asked; ports are not compared.
struct HostRule: Sendable {
    private let allowed: Set<String>

    /// Allows the loopback names, `listening` and the configured hosts.
    init(listening: String, configured: [String]) {
        let names = ["localhost", "127.0.0.1", "[::1]", listening] + configured
        allowed = Set(names.map { Self.bracketed($0.lowercased()) })
    }

    /// Checks the one Host header of a request.
    func check(_ value: String) throws(Refusal) {
        guard let name = Self.name(of: value) else { throw .malformedHost }
        guard allowed.contains(name.lowercased()) else { throw .foreignHost(name) }
    }

    /// The host's name without its port; nil where `value` is not `name` or `name:port`.
    private static func name(of value: String) -> String? {
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
        byte.isLetter || byte.isDigit || "-._~:[]".utf8.contains(byte)
    }

    private static func bracketed(_ name: String) -> String {
        name.utf8.contains(UInt8(ascii: ":")) && !name.hasPrefix("[") ? "[\(name)]" : name
    }
}
