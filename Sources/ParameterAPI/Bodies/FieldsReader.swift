// Small bodies of a few optional fields, such as {"ttl":"30s"}: an object, or no body at all. All mistakes of a body are
// reported together, as for pushes.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// The fields of a small body, and the mistakes found in it.
struct FieldsReader {
    private let values: [Name: JSONValue]
    private let isObject: Bool
    private var list = ComplaintList(section: "")
    /// Equal for bodies with the same meaning; nil for a body without fields.
    let fingerprint: Fingerprint?

    /// Reads an object that may have the `known` fields.
    init(_ document: JSONValue, known: [Name]) {
        let members = document.members ?? []
        isObject = document.members != nil
        values = Dictionary(members.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        fingerprint = members.isEmpty ? nil : SettingValue(document).fingerprint
        if !isObject {
            complain("", .typeError, "the body must be an object, not \(document.kind)")
        }
        for member in members where !known.contains(member.key) {
            let hint = NearestNames.hint(member.key, among: known)
            complain(member.key.pointerEscaped, .keyError, "unknown field `\(member.key)`; \(hint)")
        }
    }

    /// Refuses a body with mistakes.
    ///
    /// - Throws: `invalidContent` with all of them.
    func check() throws(Problem) {
        if !list.isEmpty { throw Problem(list.complaints) }
    }

    /// A whole number; nil if it is missing, or wrong.
    mutating func integer(_ field: Name, in range: ClosedRange<Int>) -> Int? {
        guard let value = values[field] else { return nil }
        guard let integer = value.integer.map(Int.init), range.contains(integer) else {
            let exception: ExceptionClass = value.integer == nil ? .typeError : .valueError
            complain(
                field.text, exception,
                "`\(field)` must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return integer
    }

    /// A time such as "30s", "500ms" or 30; nil if it is missing, or wrong.
    mutating func time(_ field: Name, in range: ClosedRange<Duration>) -> Duration? {
        guard let value = values[field] else { return nil }
        let time = value.string.map { Duration(text: $0) } ?? value.number.flatMap { Duration(seconds: $0) }
        guard let time, range.contains(time) else {
            let exception: ExceptionClass = value.string == nil && value.number == nil ? .typeError : .valueError
            complain(field.text, exception, "`\(field)` must be \(range.rule)")
            return nil
        }
        return time
    }

    /// The name of a worker; nil if it is missing, or wrong.
    mutating func worker(_ field: Name) -> Name? {
        guard let value = values[field] else { return nil }
        guard let name = value.string, WorkerName.isValid(name) else {
            complain(
                field.text, value.string == nil ? .typeError : .valueError, "`\(field)` must be \(WorkerName.rule)")
            return nil
        }
        return Name(name)
    }

    /// Complains about a field that an object lacks, with what to send.
    mutating func require(_ field: Name, _ hint: String) {
        if isObject, values[field] == nil { complain(field.text, .keyError, "`\(field)` is missing; \(hint)") }
    }

    private mutating func complain(_ field: String, _ exception: ExceptionClass, _ detail: String) {
        list.add(Complaint(pointer: field.isEmpty ? "" : "/\(field)", exception: exception, detail: detail))
    }
}

extension Call {
    /// Handles a request with a small body, or without one if `isOptional`.
    ///
    /// - Parameter done: called with the fields; an error that it throws becomes the answer.
    func readFields(
        _ known: [Name], isOptional: Bool = true,
        then done: @escaping (inout FieldsReader, Exchange) throws(Problem) -> Void
    ) throws(Problem) -> Plan {
        _ = try bodyFormat()
        if isOptional, !request.announcesBody {
            return .answer { [self] exchange in
                carryOut(exchange) { () throws(Problem) in
                    var fields = FieldsReader(.object([]), known: known)
                    try done(&fields, exchange)
                }
            }
        }
        let receiver = ContentReceiver(self, DocumentReader(self)) { document, exchange throws(Problem) in
            var fields = FieldsReader(document, known: known)
            try done(&fields, exchange)
        }
        return .read(receiver, limit: DocumentReader.limit)
    }

    /// A time in the query; nil if it is missing.
    func time(_ name: Query, in range: ClosedRange<Duration>) throws(Problem) -> Duration? {
        guard let text = query(name) else { return nil }
        guard let time = Duration(text: text), range.contains(time) else {
            throw Problem(.invalidQuery, "`\(name.rawValue)` must be \(range.rule), not `\(text.prefix(40))`.")
        }
        return time
    }
}

extension Duration {
    /// Makes a time from seconds, to the millisecond; nil if they are negative.
    init?(seconds: Double) {
        guard seconds >= 0 else { return nil }
        self = .milliseconds(Int64(min(seconds * 1000, 1e12)))
    }

    /// The time in seconds, to the millisecond.
    var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds / 1_000_000_000_000_000) / 1000
    }
}

extension ClosedRange<Duration> {
    /// The rule in words.
    fileprivate var rule: String { "a time from \(lowerBound.text) to \(upperBound.text), such as 30s or 30" }
}
