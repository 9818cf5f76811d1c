// Parameter groups in update order.

import HTTPServing
import Names
import Optimizers
import ParameterServing

/// `GET /v1/models/{m}/groups`.
@Sendable func listGroups(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    return .answer { exchange in
        let version = model.publication.current
        let validators = call.validators(version, "groups")
        if validators.hold { return exchange.complete { validators.notModified } }
        call.answer(exchange, headers: validators.headers, bytes: version.facts.pageBytes) { writer in
            writer.beginObject()
            writer.member("model", model.name)
            writer.member("step", version.step)
            writer.key("groups")
            writer.groups(version)
            writer.endObject()
        }
    }
}

/// `GET /v1/models/{m}/groups/{g}`.
@Sendable func getGroup(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let version = model.publication.current
    let index = try groupIndex(Name(call.argument("g")), version)
    return .answer { exchange in
        let validators = call.validators(version, "group\(index)")
        if validators.hold { return exchange.complete { validators.notModified } }
        call.answer(exchange, headers: validators.headers, bytes: version.facts.pageBytes) {
            $0.groups([index], of: version)
        }
    }
}

/// The index of a group in update order.
///
/// - Throws: `notFound` with the nearest names.
func groupIndex(_ name: Name, _ version: PublishedVersion) throws(Problem) -> Int {
    let layout = version.facts.layout
    guard let index = layout.groupIndex(of: name) else {
        let hint = NearestNames.hint(name, among: layout.groups.lazy.map(\.name))
        throw Problem(.notFound, "The model has no group `\(name)`; \(hint)")
    }
    return index
}
