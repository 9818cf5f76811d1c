// Values too large for a 16-bit answer: they are sent as infinity, and the answer says so in a header and, in JSON, in
// `warnings`. Used by PullAnswer and TensorBlock.

import Names
import ParameterServing
import TensorCoding

/// The parameters with values that are infinite in the element type of an answer.
struct BeyondRange {
    /// The most bytes of names in the header.
    private static let mostBytes = 1000

    private let type: ElementType
    private(set) var names: [Name] = []

    /// Starts without having checked anything.
    init(_ encoding: TensorEncoding) {
        type = encoding.isMetaOnly ? .float32 : encoding.elementType
    }

    /// Whether the answer's element type may be too small for some values.
    var mayFind: Bool { type != .float32 }

    /// Checks the values of a pull.
    init(_ content: PullContent) {
        self.init(content.selection.encoding)
        let parameters = content.version.facts.layout.parameters
        for index in content.selection.indices where parameters[index].wireType == nil {
            note(parameters[index].name, content.values(at: index))
        }
    }

    /// Checks the values of a parameter that are sent.
    mutating func note(_ name: Name, _ values: UnsafeBufferPointer<Float>) {
        if names.last != name, type.overflows(values) { names.append(name) }
    }

    /// `X-Paramd-Beyond-Range: NAME,NAME,...`, percent-encoded, ending in `...` if there are more; empty if all values
    /// fit.
    var headers: [(name: String, value: String)] {
        if names.isEmpty { return [] }
        var value = ""
        for name in names {
            let part = (value.isEmpty ? "" : ",") + name.percentEncoded
            guard value.utf8.count + part.utf8.count <= Self.mostBytes else {
                value += value.isEmpty ? "..." : ",..."
                break
            }
            value += part
        }
        return [(name: "X-Paramd-Beyond-Range", value: value)]
    }

    /// A warning in one sentence; nil if all values fit.
    var warning: String? {
        if names.isEmpty { return nil }
        let list = names.prefix(FixedLimits.namesBeyondRange).map { "`\($0)`" }.joined(separator: ", ")
        let more =
            names.count > FixedLimits.namesBeyondRange ? " and \(names.count - FixedLimits.namesBeyondRange) more" : ""
        let wider = ElementType.list(type.wider)
        return
            "Values of \(list)\(more) are too large for \(type.rawValue) and were sent as infinity; pull them as \(wider)."
    }
}

extension JSONWriter {
    /// Writes `warnings` if there is a warning.
    mutating func warnings(_ beyond: BeyondRange) {
        guard let warning = beyond.warning else { return }
        key("warnings")
        beginArray()
        string(warning)
        endArray()
    }
}

extension Name {
    /// The name in a form for headers: all but letters, digits and `-._~` as `%XX`.
    fileprivate var percentEncoded: String {
        utf8.reduce(into: "") { text, byte in
            let isPlain =
                UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "-._~".utf8.contains(byte)
                || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
            let digits = String(byte, radix: 16, uppercase: true)
            text += isPlain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + digits
        }
    }
}
