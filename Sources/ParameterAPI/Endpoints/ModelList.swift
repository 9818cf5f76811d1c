// The list of models: those that are served, and those in the data directory that are not.

import HTTPServing
import Names
import ParameterServing
import TensorCoding

/// `GET /v1/models`: names by page.
@Sendable func listModels(_ call: Call) throws(Problem) -> Plan {
    let size = min(try call.integer(.pageSize, in: 1...Int.max) ?? 100, FixedLimits.pageSize)
    let after = call.query(.pageToken)
    let prefix = call.query(.prefix) ?? ""
    return .answer { exchange in
        let models = call.api.registry.list(prefix: prefix).filter { Name($0.name) > Name(after ?? "") }
        call.answer(exchange, bytes: 256 * min(size, models.count)) { writer in
            writer.beginObject()
            writer.key("models")
            writer.beginArray()
            for model in models.prefix(size) {
                let version = model.publication.current
                writer.beginObject()
                writer.member("model", model.name)
                writer.member("uid", model.uid.description)
                writer.members(of: version)
                writer.member("parameter_count", version.facts.layout.count)
                writer.endObject()
            }
            writer.endArray()
            if after == nil { writer.unavailable(call.api.registry.listUnavailable(prefix: prefix)) }
            if models.count > size { writer.member("next_page_token", models[size - 1].name) }
            writer.endObject()
        }
    }
}

extension JSONWriter {
    /// Writes the models that are not served, with the reason; writes nothing if there are none.
    fileprivate mutating func unavailable(_ models: [UnavailableModel]) {
        guard !models.isEmpty else { return }
        key("unavailable")
        beginArray()
        for model in models {
            beginObject()
            member("model", model.name)
            member("uid", model.uid.description)
            member("reason", model.explanation)
            endObject()
        }
        endArray()
    }
}
