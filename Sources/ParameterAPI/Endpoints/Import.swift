// Importing values: all of the named parameters or none, unless the request allows a part.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// `PUT /v1/models/{m}/parameters`.
@Sendable func importParameters(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let format = try call.bodyFormat()
    let request = try ImportRequest(call, model)
    let reader = BodyReader(
        format, section: "parameters", sink: request.sink, passesUnknownTypes: request.isPartial)
    // With `partial`, most of a file may belong to another model; tensors that are skipped take no memory.
    let limit = request.isPartial ? call.api.definitionLimit : call.api.tensorLimit(model, format)
    return .read(ContentReceiver(call, reader, then: request.carryOut), limit: limit)
}

/// The options of an import.
private struct ImportRequest {
    let sink: GradientSink
    /// Whether matching tensors are imported even if others do not match.
    let isPartial: Bool
    private let call: Call
    private let model: Model
    private let ifVersion: [Int]?
    private let key: RequestKey?

    init(_ call: Call, _ model: Model) throws(Problem) {
        self.call = call
        self.model = model
        ifVersion = try call.condition(on: model)?.versions
        isPartial = try call.flag(.partial)
        key = try call.requestKey()
        sink = GradientSink(model, loan: BodyLoan(call), takesUntrained: true)
    }

    /// Imports the values of a body.
    func carryOut(_ body: TensorBody, _ exchange: Exchange) throws(Problem) {
        let arena = try sink.arena()
        let checked = try checked(body)
        let change = Change.importValues(arena, present: checked.isDense, ifVersion: ifVersion)
        let whole = key?.with(fingerprint(arena, checked.isDense))
        model.submit(change.under(whole)) { [call, model, share = sink.loan.share] result in
            withExtendedLifetime(share) {
                answerPage(of: model, after: result, call, exchange, skipped: checked.complaints)
            }
        }
    }

    private func fingerprint(_ arena: Arena, _ present: [Bool]) -> Fingerprint {
        var values = Gradients(dense: arena.buffer, parameterCount: present.count)
        values.isDense = present
        return values.fingerprint(in: sink.layout)
    }

    /// The matching tensors.
    ///
    /// The complaints are about the others, which must not exist unless a part is allowed.
    private func checked(_ body: TensorBody) throws(Problem) -> TensorChecker {
        try checkFields(body)
        var checking = TensorChecker(sink.facts, section: "parameters")
        for complaint in body.complaints { checking.add(complaint) }
        try checking.check(body.tensors, takesRows: false, takesUntrained: true)
        if body.tensors.isEmpty {
            checking.add(
                Complaint(
                    pointer: "/parameters", exception: .valueError, detail: "`parameters` is empty; name at least one"))
        }
        let isEnough = isPartial && checking.isDense.contains(true)
        guard checking.complaints.isEmpty || isEnough else { throw Problem(checking.complaints) }
        return checking
    }

    private func checkFields(_ body: TensorBody) throws(Problem) {
        let known: [Name] = ["parameters", "model", "step", "version"]
        let unknown = body.isMetadata ? [] : body.fields.filter { !known.contains($0.key) }
        guard !unknown.isEmpty else { return }
        let misplaced = unknown.filter { sink.layout.index(of: $0.key) != nil }
        let entry = SettingValue.Entry(key: "parameters", value: SettingValue(.object(misplaced)))
        let line = misplaced.isEmpty ? nil : SettingValue.object([entry]).line
        var list = ComplaintList(section: "")
        for field in unknown {
            let isParameter = sink.layout.index(of: field.key) != nil
            let reason = isParameter ? "`\(field.key)` is a parameter" : "unknown field `\(field.key)`"
            list.add(
                Complaint(
                    pointer: "/\(field.key.pointerEscaped)", exception: .keyError,
                    detail:
                        "\(reason); send values under `parameters`: write `\(line ?? #"{"parameters":{"NAME":[...]}}"#)`"
                ))
        }
        throw Problem(list.complaints)
    }
}
