// Queries of rates: get_lr, get_lr_parameter and get_weight_decay, at any step. A query never advances the step.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// `GET /v1/models/{m}/lr`.
@Sendable func getLearningRates(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let form = try CurveForm(call)
    let names = call.values(of: .param).map { Name($0) }
    let version = model.publication.current
    let parameters = try parameters(names, of: version.facts.layout)
    if let steps = try call.stepRange(for: model, as: form) {
        let groups = names.isEmpty ? nil : Set(parameters.map(\.group))
        try call.check(points: steps.count, ofGroups: groups?.count ?? version.facts.layout.groups.count)
        return answerCurve(
            call, version.facts, form, Curve.Subject("lr", "learning rate", steps, groups: groups), plottedRates)
    }
    let step = try call.integer(.step)
    return .answer { exchange in
        let step = step ?? version.step
        if names.isEmpty { return answerValues(call, exchange, version, "lr", step, learningRates) }
        do throws(Problem) {
            try answerRates(call, exchange, version, step, parameters)
        } catch {
            call.answer(exchange, error)
        }
    }
}

/// `GET /v1/models/{m}/weight_decay`.
@Sendable func getWeightDecays(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let form = try CurveForm(call)
    if let steps = try call.stepRange(for: model, as: form) {
        let facts = model.publication.current.facts
        try call.check(points: steps.count, ofGroups: facts.layout.groups.count)
        return answerCurve(call, facts, form, Curve.Subject("weight_decay", "weight decay", steps), weightDecays)
    }
    let step = try call.integer(.step)
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

/// As `learningRates`; past the end of an array the error says how far a range may go.
@Sendable private func plottedRates(_ facts: ModelFacts, _ step: Int) throws(Problem) -> [Float?] {
    do throws(ServingError) {
        return try facts.learningRates(at: step)
    } catch {
        throw Problem(plotting: error)
    }
}

@Sendable private func weightDecays(_ facts: ModelFacts, _ step: Int) throws(Problem) -> [Float?] {
    facts.weightDecays(at: step)
}

extension Curve {
    /// The subject of a curve.
    fileprivate struct Subject {
        let quantity: String
        let title: String
        let steps: [Int]
        /// The groups to show; nil for all.
        let groups: Set<Int>?

        init(_ quantity: String, _ title: String, _ steps: [Int], groups: Set<Int>? = nil) {
            self.quantity = quantity
            self.title = title
            self.steps = steps
            self.groups = groups
        }
    }
}

private func answerCurve(
    _ call: Call, _ facts: ModelFacts, _ form: CurveForm, _ subject: Curve.Subject, _ evaluate: @escaping Evaluate
) -> Plan {
    .answer { exchange in
        call.answerLater(exchange) { () throws(Problem) in
            let shown = facts.layout.groups.indices.filter { subject.groups?.contains($0) ?? true }
            let names = shown.map { facts.layout.groups[$0].name.text }
            let memory = try Curve.memory(series: shown.count, points: subject.steps.count, call.api.registry.budget)
            let curve = try Curve(subject.quantity, subject.steps, names: names) { step throws(Problem) in
                let values = try evaluate(facts, step)
                return shown.map { values[$0] }
            }
            var response = form.response(for: curve, title: "\(facts.name): \(subject.title)", call)
            response.loan = memory
            return response
        }
    }
}

/// One value per group, at one step.
private func answerValues(
    _ call: Call, _ exchange: Exchange, _ version: PublishedVersion, _ quantity: Name, _ step: Int,
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
                let scale = version.facts.unscalesFirst ? 1 : version.lossScale
                let scaled = values.map { $0.map { min(Float(Double($0) * scale), .greatestFiniteMagnitude) } }
                writer.values("scaled_weight_decay", zip(names, scaled))
            }
            writer.endObject()
        }
    }
}

/// The parameters named in the query, with the groups that determine their rates.
private func parameters(
    _ names: [Name], of layout: ArenaLayout
) throws(Problem) -> [(name: Name, group: Int)] {
    var rows: [(name: Name, group: Int)] = []
    for name in names {
        guard let index = layout.index(of: name) else {
            let hint = NearestNames.hint(name, among: layout.parameters.lazy.map(\.name))
            throw Problem(.notFound, "The model has no parameter `\(name)`; \(hint)")
        }
        guard let group = layout.parameters[index].groupIndex else {
            throw Problem(.notFound, "`\(name)` is not trained and has no learning rate; select a trained parameter.")
        }
        rows.append((name, group))
    }
    return rows
}

/// Answers with the rate of each requested parameter, and the definition that the rate comes from.
private func answerRates(
    _ call: Call, _ exchange: Exchange, _ version: PublishedVersion, _ step: Int, _ rows: [(name: Name, group: Int)]
) throws(Problem) {
    let layout = version.facts.layout
    let entries = rows.reduce(0) { $0 + version.facts.learningRateDefinitionCount(ofGroup: $1.group) }
    guard rows.count == 1 || entries <= FixedLimits.repeatedRates else {
        throw Problem(
            .invalidQuery,
            "The arrays of these rates have \(entries) entries in total; an answer repeats at most \(FixedLimits.repeatedRates). Select fewer parameters with `param`."
        )
    }
    let rates = try learningRates(version.facts, step)
    let bytes = 256 * rows.count + ModelFacts.bytesPerRate * entries
    call.answer(exchange, headers: versionHeaders(version), bytes: bytes) { writer in
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
    mutating func values(_ quantity: Name, _ values: some Sequence<(Name, Float?)>) {
        key(quantity)
        beginObject()
        for (name, value) in values { member(name, value) }
        endObject()
    }
}
