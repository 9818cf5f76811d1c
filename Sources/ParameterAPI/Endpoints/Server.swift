// The daemon's effective configuration: each limit with the flag that sets it.

import HTTPServing
import ParameterServing
import TensorCoding

/// One setting as a person asks for it.
public struct EffectiveSetting: Sendable {
    let name: String
    let value: String
    let origin: String

    /// Makes a row.
    ///
    /// - Parameters:
    ///   - name: the setting, in the words of its flag.
    ///   - value: its value as text.
    ///   - origin: `flag` or `default`.
    public init(_ name: String, _ value: String, origin: String) {
        self.name = name
        self.value = value
        self.origin = origin
    }
}

/// `GET /v1/server`.
@Sendable func getServer(_ call: Call) throws(Problem) -> Action {
    try call.allowQueries()
    return .answer { exchange in
        let registry = call.api.registry
        call.answer(exchange) { writer in
            writer.beginObject()
            writer.member("version", call.api.version)
            writer.member("models", registry.list().count)
            writer.key("memory")
            writer.beginObject()
            writer.member("limit", registry.budget.limit)
            writer.member("reserved", registry.budget.reserved)
            writer.endObject()
            writer.key("optimizers")
            writer.beginArray()
            for name in registry.catalogue.names { writer.string(name) }
            writer.endArray()
            writer.key("schedules")
            writer.beginArray()
            for name in registry.catalogue.scheduleNames { writer.string(name) }
            writer.endArray()
            writer.key("settings")
            writer.beginObject()
            for setting in call.api.settings {
                writer.key(setting.name)
                writer.beginObject()
                writer.member("value", setting.value)
                writer.member("origin", setting.origin)
                writer.endObject()
            }
            writer.endObject()
            writer.endObject()
        }
    }
}
