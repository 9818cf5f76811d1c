// Changing hyperparameters during training: merge patches for a model or one of its groups.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// `PATCH /v1/models/{m}`.
@Sendable func patchModel(_ call: Call) throws(Problem) -> Plan {
    try patch(call, group: nil)
}

/// `PATCH /v1/models/{m}/groups/{g}`.
@Sendable func patchGroup(_ call: Call) throws(Problem) -> Plan {
    try patch(call, group: Name(call.argument("g")))
}

private func patch(_ call: Call, group: Name?) throws(Problem) -> Plan {
    let model = try call.model()
    _ = try call.bodyFormat()
    let ifVersion = try call.condition(on: model)?.versions
    let key = try call.requestKey()
    let receiver = ContentReceiver(call, DocumentReader(call, holdsRates: true)) { document, exchange throws(Problem) in
        if let group { _ = try groupIndex(group, model.publication.current) }
        let setting = SettingValue(document)
        let patch = SettingsPatch(group: group, patch: setting)
        do throws(OptimizerError) { try patch.check(against: model.layout) } catch {
            throw Problem(ServingError(error))
        }
        let (change, before) = (Change.reconfigure(patch, ifVersion: ifVersion), model.publication.current.facts)
        model.submit(change.under(key?.with(setting.fingerprint))) { result in
            let reset = before.resets(in: model.publication.current.facts, of: patch.parameters)
            answerPage(of: model, after: result, call, exchange, reset: reset)
        }
    }
    return .read(receiver, limit: FixedLimits.rates.documentBytes)
}
