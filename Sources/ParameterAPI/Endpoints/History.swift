// The history of a model's training: charts of what its pushes reported and did.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// The format of a history's answer.
enum HistoryForm: String, AnswerForm {
    case json
    case csv

    var format: WireFormat {
        switch self {
        case .json: .json
        case .csv: .csv
        }
    }
}

/// `GET /v1/models/{m}/history`.
@Sendable func getHistory(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let form = try HistoryForm(call)
    let selection = try HistorySelection(call)
    return .answer { exchange in
        model.trainingHistory { result in
            // The model continues; a model thread takes the rest in its turn.
            call.api.registry.slices.add {
                do throws(Problem) {
                    let response = try answer(call, model, form, selection, result)
                    exchange.complete { response }
                } catch {
                    call.answer(exchange, error)
                }
            }
        }
    }
}

private func answer(
    _ call: Call, _ model: Model, _ form: HistoryForm, _ selection: HistorySelection,
    _ result: Result<(TrainingHistory, Reservation), ServingError>
) throws(Problem) -> Response {
    let version = model.publication.current
    let (history, loan) = try orProblem { () throws(ServingError) in try result.get() }
    let series = try selection.series(of: history, version.facts.layout)
    let document = HistoryDocument(version, series, selection, as: form, indented: call.isIndented, loan: loan)
    let body = try orProblem { () throws(ServingError) in
        try MadeStream.body(of: document, isShort: document.isShort, call.api.registry)
    }
    let headers = versionHeaders(version) + [(name: "Cache-Control", value: "no-cache"), form.format.header]
    return Response(status: 200, headers: headers, body: body)
}

private func orProblem<Value>(_ body: () throws(ServingError) -> Value) throws(Problem) -> Value {
    do throws(ServingError) { return try body() } catch { throw Problem(error) }
}

/// `POST /v1/models/{m}/scalars`.
@Sendable func reportScalars(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    _ = try call.bodyFormat()
    let key = try call.requestKey()
    let receiver = ContentReceiver(call, DocumentReader(call)) { document, exchange throws(Problem) in
        let report = try Report(document)
        model.submit(Change.report(report).under(key?.with(report.fingerprint))) { result in
            call.answer(exchange, result) { call, recorded in
                call.answer(exchange, bytes: 128) { writer in
                    writer.beginObject()
                    writer.member("model", model.name)
                    writer.member("step", recorded.step)
                    writer.member("recorded", report.scalars.count)
                    writer.endObject()
                }
            }
        }
    }
    return .read(receiver, limit: DocumentReader.limit)
}

extension Report {
    /// Reads a body such as `{"step":100,"scalars":{"val_acc":0.9}}`.
    fileprivate init(_ document: JSONValue) throws(Problem) {
        let known: [Name] = ["step", "scalars"]
        guard let members = document.members else {
            throw Problem([
                Complaint(
                    pointer: "", exception: .typeError,
                    detail: "the body must be an object, such as {\"scalars\":{\"val_acc\":0.9}}, not \(document.kind)")
            ])
        }
        var complaints = members.filter { !known.contains($0.key) }.map { member in
            Complaint(
                pointer: "/\(member.key.pointerEscaped)", exception: .keyError,
                detail: "unknown field `\(member.key)`; put metrics into `scalars`")
        }
        var step: Int?
        if let value = document["step"] {
            step = value.integer.map(Int.init).flatMap { (0...FixedLimits.largestInteger).contains($0) ? $0 : nil }
            if step == nil {
                let detail = "`step` must be a whole number from 0 to \(FixedLimits.largestInteger)"
                complaints.append(Complaint(pointer: "/step", exception: .typeError, detail: detail))
            }
        }
        let found = ScalarObject(document["scalars"] ?? .object([]), section: "scalars")
        complaints += found.complaints
        if found.scalars.isEmpty, complaints.isEmpty {
            let detail = "`scalars` is empty; send at least one metric, such as {\"scalars\":{\"val_acc\":0.9}}"
            complaints.append(Complaint(pointer: "/scalars", exception: .valueError, detail: detail))
        }
        guard complaints.isEmpty else { throw Problem(complaints) }
        self.init(found.scalars, step: step)
    }
}
