// Reads a growth: parameters as in a definition, and rows with their initializer.

import Names
import Optimizers
import ParameterServing
import TensorCoding

/// Reads the body of a request that adds parameters or rows.
final class GrowthReader: ContentReader {
    let loan: BodyLoan
    private var reader: JSONBodyReader

    init(_ call: Call) {
        loan = BodyLoan(call)
        let sink = GrowingSink(loan, integers: { _ in .taken })
        reader = JSONBodyReader(tensorKeys: ["add"], sink: sink)
    }

    func read(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        try parsing(try reader.read(bytes))
    }

    var hasLongWork: Bool { reader.hasLongWork }

    func work() throws(Problem) {
        try parsing(try reader.work())
    }

    func finish() throws(Problem) -> Growth {
        try GrowthParser(body: try parsing(try reader.finish())).growth()
    }
}

/// Turns a body into a growth.
private struct GrowthParser {
    private static let members: [Name] = ["add", "group", "rows"]
    private static let example = #"{"add":{"w2":{"shape":[3,4],"init":"zeros"}}}"#
    let body: JSONBody

    func growth() throws(Problem) -> Growth {
        guard let members = body.document.members else {
            throw refusal("", .typeError, "the body must be an object, not \(body.document.kind)")
        }
        if !body.issues.isEmpty { throw Problem(body.issues) }
        for member in members where !Self.members.contains(member.key) {
            let hint = NearestNames.hint(member.key, among: Self.members)
            throw refusal("/\(member.key.pointerEscaped)", .keyError, "unknown field `\(member.key)`; \(hint)")
        }
        let added = try DefinitionParser(body: body, section: "add").parameters()
        let growth = Growth(added: added, group: try group(isNeeded: !added.isEmpty), rows: try rows())
        guard !growth.added.isEmpty || !growth.rows.isEmpty else {
            throw refusal(
                "", .valueError,
                "the request adds nothing; write \(Self.example) or {\"rows\":{\"embedding\":{\"count\":100,\"init\":\"zeros\"}}}"
            )
        }
        return growth
    }

    private func group(isNeeded: Bool) throws(Problem) -> Name? {
        guard let value = body.document["group"] else { return nil }
        guard let name = value.string else {
            throw refusal("/group", .typeError, "`group` must be the name of a group, not \(value.kind)")
        }
        guard isNeeded else {
            throw refusal("/group", .valueError, "`group` is the group of the parameters in `add`; leave it out")
        }
        return Name(name)
    }

    private func rows() throws(Problem) -> [Growth.Rows] {
        guard let value = body.document["rows"] else { return [] }
        guard let members = value.members else {
            throw refusal("/rows", .typeError, "`rows` must be an object of counts by parameter, not \(value.kind)")
        }
        var rows: [Growth.Rows] = []
        for member in members { rows.append(try self.rows(member.value, of: member.key)) }
        return rows
    }

    private func rows(_ value: JSONValue, of parameter: Name) throws(Problem) -> Growth.Rows {
        let pointer = "/rows/\(parameter.pointerEscaped)"
        let form = "write {\"count\":100,\"init\":\"zeros\"}"
        guard let members = value.members else {
            throw refusal(pointer, .typeError, "rows must be an object, not \(value.kind); \(form)")
        }
        for member in members where !["count", "init"].contains(member.key) {
            let hint = NearestNames.hint(member.key, among: ["count", "init"])
            throw refusal(
                "\(pointer)/\(member.key.pointerEscaped)", .keyError, "rows have no field `\(member.key)`; \(hint)")
        }
        guard let count = value["count"]?.integer.flatMap({ Int(exactly: $0) }), count >= 1 else {
            throw refusal(
                "\(pointer)/count", .valueError, "`count` must be the number of rows to add, 1 or more; \(form)")
        }
        guard let initial = value["init"] else {
            throw refusal("\(pointer)/init", .valueError, "rows need `init`, which says what they start as; \(form)")
        }
        return Growth.Rows(parameter, count: count, initial: SettingValue(initial))
    }

    private func refusal(_ pointer: String, _ exception: ExceptionClass, _ detail: String) -> Problem {
        Problem([Complaint(pointer: pointer, exception: exception, detail: detail)])
    }
}
