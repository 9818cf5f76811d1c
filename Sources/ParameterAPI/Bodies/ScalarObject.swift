// Metrics that a client reports: `metrics` in a push, `scalars` in a report.

import Names
import Optimizers
import ParameterServing
import TensorCoding

/// An object of named numbers.
struct ScalarObject {
    /// The rule for names, in words.
    static let rule = "1 to \(FixedLimits.nameBytes) bytes of UTF-8 without control characters"

    private(set) var scalars: [Scalar] = []
    private(set) var complaints: [Complaint] = []

    /// Reads the metrics in `section` of a body.
    init(_ value: JSONValue, section: String) {
        guard let members = value.members else {
            let detail = "`\(section)` must be an object of numbers, not \(PushFields.words(for: value))"
            complaints = [Complaint(pointer: "/\(section)", exception: .typeError, detail: detail)]
            return
        }
        for member in members { read(member, in: section) }
    }

    private mutating func read(_ member: JSONMember, in section: String) {
        let pointer = "/\(section)/\(member.key.pointerEscaped)"
        guard let number = member.value.number, number.isFinite else {
            let kind = PushFields.words(for: member.value)
            let detail = "a metric must be a finite number; `\(member.key)` is \(kind)"
            return complaints.append(Complaint(pointer: pointer, exception: .typeError, detail: detail))
        }
        guard Self.isValid(member.key) else {
            let detail = "the name of a metric must be \(Self.rule)"
            return complaints.append(Complaint(pointer: pointer, exception: .valueError, detail: detail))
        }
        scalars.append(Scalar(name: member.key, value: number))
    }

    private static func isValid(_ name: Name) -> Bool {
        (1...FixedLimits.nameBytes).contains(name.utf8.count)
            && name.text.unicodeScalars.allSatisfy { scalar in
                scalar.value >= 0x20 && !(0x7f..<0xa0).contains(scalar.value) && scalar.value != 0xfffd
            }
    }
}
