// A schedule evaluated without a model, to see a rate before training with it.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// `POST /v1/lr_preview`.
@Sendable func previewLearningRate(_ call: Call) throws(Problem) -> Plan {
    _ = try call.bodyFormat()
    let form = try CurveForm(call)
    let receiver = ContentReceiver(call, DocumentReader(call, holdsRates: true)) { document, exchange in
        call.answerLater(exchange) { () throws(Problem) in
            let preview = try Preview(document, call)
            return form.response(for: try preview.curve(call), title: "learning rate", call)
        }
    }
    return .read(receiver, limit: FixedLimits.rates.documentBytes)
}

/// The request of a preview.
private struct Preview {
    private static let known: [Name] = ["learning_rate", "from", "to", "every", "past_end"]
    private let rate: LearningRate
    private let pastEnd: PastEnd
    private let steps: [Int]

    init(_ document: JSONValue, _ call: Call) throws(Problem) {
        guard let members = document.members else {
            throw Problem([
                Complaint(
                    pointer: "", exception: .typeError,
                    detail: "the body must be an object, such as {\"learning_rate\":0.1}")
            ])
        }
        for member in members where !Self.known.contains(member.key) {
            let hint = NearestNames.hint(member.key, among: Self.known)
            throw Problem([
                Complaint(
                    pointer: "/\(member.key.pointerEscaped)", exception: .keyError,
                    detail: "unknown field `\(member.key)`; \(hint)")
            ])
        }
        guard let definition = document["learning_rate"] else {
            throw Problem([
                Complaint(
                    pointer: "/learning_rate", exception: .typeError,
                    detail: "`learning_rate` is missing; add a number, an array or a schedule")
            ])
        }
        do throws(OptimizerError) {
            let setting = SettingValue(definition)
            try DefinitionLimits.checkSequences(setting)
            rate = try LearningRate(
                setting, pointer: "/learning_rate", catalogue: call.api.registry.catalogue)
        } catch {
            throw Problem(ServingError(error))
        }
        pastEnd = try Self.pastEnd(document["past_end"])
        let from = try Self.step("from", document["from"]) ?? 0
        let every = try Self.step("every", document["every"], atLeast: 1) ?? 1
        let to = try Self.step("to", document["to"]) ?? rate.length.map { max(from, $0 - 1) } ?? from + 100
        steps = try call.steps(from: from, to: to, every: every)
    }

    func curve(_ call: Call) throws(Problem) -> Curve {
        try Curve("lr", steps, names: [""]) { step throws(Problem) in
            guard let value = rate.value(at: step, past: pastEnd) else {
                throw Problem(
                    plotting: .learningRateExhausted(group: "preview", step: step, length: rate.length ?? 0))
            }
            return [value]
        }
    }

    private static func pastEnd(_ value: JSONValue?) throws(Problem) -> PastEnd {
        guard let value else { return .error }
        guard let word = value.string.flatMap({ PastEnd(rawValue: $0) }) else {
            throw Problem([
                Complaint(
                    pointer: "/past_end", exception: .valueError, detail: "`past_end` must be \"error\" or \"hold\"")
            ])
        }
        return word
    }

    private static func step(_ name: String, _ value: JSONValue?, atLeast least: Int = 0) throws(Problem) -> Int? {
        guard let value else { return nil }
        guard let number = value.integer.map(Int.init), (least...FixedLimits.largestInteger).contains(number) else {
            throw Problem([
                Complaint(
                    pointer: "/\(name)", exception: value.integer == nil ? .typeError : .valueError,
                    detail: "`\(name)` must be a whole number from \(least) to \(FixedLimits.largestInteger)")
            ])
        }
        return number
    }
}
