// Growing a model: parameters at the end of its update order, and rows at the end of parameters.

import HTTPServing
import Names
import Optimizers
import ParameterServing

/// `POST /v1/models/{m}/parameters`.
@Sendable func growModel(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    _ = try call.bodyFormat()
    let ifVersion = try call.condition(on: model)?.versions
    let key = try call.requestKey()
    let reader = GrowthReader(call)
    let receiver = ContentReceiver(call, reader) { growth, exchange throws(Problem) in
        let change = Change.grow(growth, ifVersion: ifVersion).under(key?.with(growth.fingerprint))
        model.submit(change) { [share = reader.loan.share, memory = reader.loan.memory] result in
            withExtendedLifetime((share, memory)) { answerPage(of: model, after: result, call, exchange) }
        }
    }
    return .read(receiver, limit: call.api.definitionLimit)
}
