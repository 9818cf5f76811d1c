// Asking for rates: get_lr, get_lr_parameter and get_weight_decay, at any step. A question never moves the step.

import HTTPServing
import Optimizers
import ParameterServing
import TensorCoding

/// `GET /v1/models/{m}/lr`.
@Sendable func getLearningRates(_ call: Call) throws(Problem) -> Action {
    try call.allowQueries("step", "from", "to", "every", "param")
    let model = try call.model()
    if let steps = try call.stepRange(for: model) { return answerCurve(call, model, "lr", steps, learningRates) }
    let step = try call.integer("step")
    let names = call.queries("param")
    return .answer { exchange in
        let version = model.publication.current
        let step = step ?? version.step
        if names.isEmpty { return answerValues(call, exchange, version, "lr", step, learningRates) }
        call.answer(exchange) { () throws(Problem) in try parameterRates(call, version, step, names) }
    }
}

/// `GET /v1/models/{m}/weight_decay`.
@Sendable func getWeightDecays(_ call: Call) throws(Problem) -> Action {
    try call.allowQueries("step", "from", "to", "every")
    let model = try call.model()
    if let steps = try call.stepRange(for: model) {
        return answerCurve(call, model, "weight_decay", steps, weightDecays)
    }
    let step = try call.integer("step")
    return .answer { exchange in
        let version = model.publication.current
        answerValues(call, exchange, version, "weight_decay", step ?? version.step, weightDecays)
    }
}

private typealias Evaluate = @Sendable (ModelFacts, Int) throws(Problem) -> [Float?]

@Sendable private func learningRates(_ facts: ModelFacts, _ step: Int) throws(Problem) -> [Float?] {
    do throws(ServingError) {
        return try facts.learningRates(at: step)
    } catch {
        throw Problem(error)
    }
}

@Sendable private func weightDecays(_ facts: ModelFacts, _ step: Int) throws(Problem) -> [Float?] {
    facts.weightDecays(at: step)
}

private func answerCurve(
    _ call: Call, _ model: Model, _ quantity: String, _ steps: [Int], _ evaluate: @escaping Evaluate
) -> Action {
    let form = CurveForm(call)
    return .answer { exchange in
        call.answer(exchange) { () throws(Problem) in
            let facts = model.publication.current.facts
            let names = facts.layout.groups.map(\.name)
            let curve = try Curve(quantity, steps, names: names) { step throws(Problem) in try evaluate(facts, step) }
            let title = "\(facts.name): \(quantity == "lr" ? "learning rate" : "weight decay")"
            return form.response(for: curve, title: title, call)
        }
    }
}

/// One value per group, at one step.
private func answerValues(
    _ call: Call, _ exchange: Exchange, _ version: PublishedVersion, _ quantity: String, _ step: Int,
    _ evaluate: Evaluate
) {
    call.answer(exchange) { () throws(Problem) in
        let values = try evaluate(version.facts, step)
        let names = version.facts.layout.groups.map(\.name)
        return .json(indented: call.isIndented, headers: versionHeaders(version)) { writer in
            writer.beginObject()
            writer.member("step", step)
            if quantity == "weight_decay" { writer.member("loss_scale", version.lossScale) }
            writer.values(quantity, zip(names, values))
            if quantity == "weight_decay" {
                let scaled = values.map { $0.map { Float(Double($0) * version.lossScale) } }
                writer.values("scaled_weight_decay", zip(names, scaled))
            }
            writer.endObject()
        }
    }
}

/// The rate of each parameter asked for, with the definition it comes from.
private func parameterRates(
    _ call: Call, _ version: PublishedVersion, _ step: Int, _ names: [String]
) throws(Problem) -> Response {
    let layout = version.facts.layout
    let rates = try learningRates(version.facts, step)
    var rows: [(name: String, group: Int)] = []
    for name in names {
        guard let index = layout.index(of: name) else {
            let hint = NearestNames.hint(name, among: layout.parameters.map(\.name))
            throw Problem(.notFound, "The model has no parameter `\(name)`; \(hint)")
        }
        guard let group = layout.parameters[index].groupIndex else {
            throw Problem(.notFound, "`\(name)` is not trained and has no learning rate.")
        }
        rows.append((name, group))
    }
    return .json(indented: call.isIndented, headers: versionHeaders(version)) { writer in
        writer.beginObject()
        writer.member("step", step)
        writer.key("parameters")
        writer.beginArray()
        for row in rows {
            writer.beginObject()
            writer.member("name", row.name)
            writer.member("group", layout.groups[row.group].name)
            writer.member("lr", rates[row.group])
            writer.key("learning_rate")
            writer.setting(version.facts.learningRateDefinition(ofGroup: row.group))
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }
}

extension JSONWriter {
    /// Writes `"quantity":{name: value, ...}`.
    mutating func values(_ quantity: String, _ values: some Sequence<(String, Float?)>) {
        key(quantity)
        beginObject()
        for (name, value) in values { member(name, value) }
        endObject()
    }
}
