// Setting values from outside: all of the named parameters or none.

import HTTPServing
import Optimizers
import ParameterServing
import TensorCoding

/// `PUT /v1/models/{m}/parameters`.
@Sendable func importParameters(_ call: Call) throws(Problem) -> Action {
    try call.allowQueries()
    let model = try call.model()
    let format = try BodyFormat(call.request)
    let receiver = try ImportReceiver(call, model, format)
    return .read(receiver, limit: call.api.tensorLimit(model, format))
}

/// Collects the body of an import.
final class ImportReceiver: BodyReceiver {
    private let call: Call
    private let model: Model
    private let sink: GradientSink
    private let reader: BodyReader
    private let ifVersion: [Int]?

    init(_ call: Call, _ model: Model, _ format: BodyFormat) throws(Problem) {
        self.call = call
        self.model = model
        ifVersion = try call.condition(on: model)?.versions
        sink = GradientSink(model, budget: call.api.registry.budget, takesUntrained: true)
        reader = BodyReader(format, of: call.request, section: "parameters", sink: sink)
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? {
        do throws(Problem) {
            try reader.read(bytes)
            return sink.failure?.response(for: call.request)
        } catch {
            return error.response(for: call.request)
        }
    }

    func finish(_ exchange: Exchange) {
        do throws(Problem) {
            let present = try checked(try reader.finish())
            let arena = try sink.arena()
            model.submit(.importValues(arena, present: present, ifVersion: ifVersion)) { [call, model] result in
                switch result {
                case .success: answerPage(of: model, status: 200, call, exchange)
                case .failure(let error): call.answer(exchange, Problem(error))
                }
            }
        } catch {
            call.answer(exchange, error)
        }
    }

    func abandon() {}

    private func checked(_ body: TensorBody) throws(Problem) -> [Bool] {
        var checking = TensorChecking(layout: sink.layout, section: "parameters")
        for complaint in body.complaints { checking.add(complaint) }
        for tensor in body.tensors { checking.check(tensor, takesRows: false, takesUntrained: true) }
        for field in body.fields
        where !["parameters", "model", "step", "version"].contains(field.key) && !body.isMetadata {
            let hint = NearestNames.hint(field.key, among: ["parameters"])
            checking.add(
                Complaint(
                    pointer: "/\(field.key.pointerEscaped)", exception: .keyError,
                    detail: "an import has no field `\(field.key)`; \(hint)"))
        }
        if let nonFinite = checking.nonFinite { checking.add(nonFinite) }
        if body.tensors.isEmpty {
            checking.add(
                Complaint(
                    pointer: "/parameters", exception: .valueError, detail: "`parameters` is empty; name at least one"))
        }
        guard checking.complaints.isEmpty else { throw Problem(checking.complaints) }
        return checking.isDense
    }
}
