// The identity of a repeated request: the key chosen by its client, and fingerprints of its content. A key stands for
// one request; another request under it is a mistake of the client, not a retry.

import Names
import Optimizers

/// An `Idempotency-Key` and the request that it stands for.
public struct RequestKey: Sendable, Equatable {
    /// The longest key, in code points.
    public static let longest = 256

    /// The time of a key whose record does not have one: its answer does not age.
    static let always = Int.max

    /// The client's text.
    public var text: Name
    /// Method, path and query; nil for a push of the first release, which stored only its gradients.
    public var target: Fingerprint?
    /// The meaning of the body.
    public var body: Fingerprint
    /// Seconds since 1970 when the request arrived; the lifetime of its answer starts here.
    public var time: Int

    /// Makes a key from its parts.
    public init(text: Name, target: Fingerprint?, body: Fingerprint = .nothing, time: Int) {
        self.text = text
        self.target = target
        self.body = body
        self.time = time
    }

    /// When the request arrived, in seconds since 1970; nil if its record does not say.
    var arrival: Int? { time == Self.always ? nil : time }

    /// The client whose window has the answer: the part before a count or a random text at the key's end, as in
    /// `w3-118`.
    var client: Name {
        let bytes = text.utf8
        guard let end = bytes.lastIndex(where: { Self.separators.contains($0) }) else { return Name("") }
        return Name(text.text[...end])
    }

    private static let separators = Set("-_/:.#".utf8)

    /// Whether both stand for the same request.
    ///
    /// - Parameters:
    ///   - other: a request that arrives.
    ///   - isEarlier: whether earlier releases stored this fingerprint for its body.
    func isSameRequest(as other: RequestKey, or isEarlier: (Fingerprint) -> Bool = { _ in false }) -> Bool {
        text == other.text && (target == nil || other.target == nil || target == other.target)
            && (body == other.body || isEarlier(body))
    }
}

extension Name {
    /// The remainder of a forgotten key.
    var print: Fingerprint {
        let builder = Fingerprint.Builder()
        builder.add(text)
        return builder.fingerprint
    }
}

extension Fingerprint {
    /// The meaning of an empty body.
    public static let nothing = Fingerprint(high: 0, low: 0)
}

extension SettingValue {
    /// Equal for settings with the same content, regardless of the order of members.
    public var fingerprint: Fingerprint {
        var writer = ByteWriter()
        writer.write(ordered)
        let builder = Fingerprint.Builder()
        writer.bytes.withUnsafeBytes { builder.add($0) }
        return builder.fingerprint
    }

    /// The value with the members of every object sorted, and with numbers of one kind.
    private var ordered: SettingValue {
        switch self {
        case .integer(let value): .number(Double(value))
        case .array(let elements): .array(elements.map(\.ordered))
        case .object(let entries):
            .object(
                entries.map { Entry(key: $0.key, value: $0.value.ordered) }
                    .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) })
        case .null, .boolean, .number, .string, .numbers: self
        }
    }
}
