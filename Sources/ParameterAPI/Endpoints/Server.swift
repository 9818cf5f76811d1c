// The daemon's effective configuration: each setting and limit, and the origin of its value.

import HTTPServing
import Names
import ParameterServing
import TensorCoding
import Threading

/// One setting as shown to users.
public struct EffectiveSetting: Sendable {
    let name: String
    let value: String
    let origin: String
    let file: String?
    let line: Int?
    let meaning: String?

    /// Makes a row.
    ///
    /// - Parameters:
    ///   - name: the setting, named like its flag.
    ///   - value: its value as text.
    ///   - origin: `flag`, `environment`, `file`, `default`, or `fixed` if it cannot be changed.
    ///   - file: the path of the file that sets it.
    ///   - line: the line in that file.
    ///   - meaning: an explanation, if the name does not give it.
    public init(
        _ name: String, _ value: String, origin: String, file: String? = nil, line: Int? = nil, meaning: String? = nil
    ) {
        self.name = name
        self.value = value
        self.origin = origin
        self.file = file
        self.line = line
        self.meaning = meaning
    }
}

/// How the daemon was started.
public struct EffectiveConfiguration: Sendable {
    let settings: [EffectiveSetting]
    let limits: [EffectiveSetting]

    /// Makes the configuration part of `/v1/server`.
    public init(settings: [EffectiveSetting] = [], limits: [EffectiveSetting] = []) {
        self.settings = settings
        self.limits = limits
    }
}

/// `GET /v1/server`.
@Sendable func getServer(_ call: Call) throws(Problem) -> Plan {
    return .answer { exchange in
        let registry = call.api.registry
        call.answer(exchange) { writer in
            writer.beginObject()
            writer.member("version", call.api.version)
            for group in Metric.Group.allCases { writer.write(group, of: call.api) }
            writer.key("optimizers")
            writer.beginArray()
            for name in registry.catalogue.names { writer.string(name) }
            writer.endArray()
            writer.key("schedules")
            writer.beginArray()
            for name in registry.catalogue.scheduleNames { writer.string(name) }
            writer.endArray()
            write(call.api.configuration.settings, under: "settings", to: &writer)
            write(call.api.configuration.limits, under: "limits", to: &writer)
            writer.endObject()
        }
    }
}

extension JSONWriter {
    /// Writes the metrics of a group, in an object if the group has a name; leaves out a group without values.
    fileprivate mutating func write(_ group: Metric.Group, of api: ParameterAPI) {
        let metrics = Metric.all.filter { $0.group == group }.compactMap { metric in
            metric.read(api).map { (name: metric.member, value: $0) }
        }
        guard !metrics.isEmpty else { return }
        if group != .top {
            key(Name(group.rawValue))
            beginObject()
        }
        for metric in metrics { member(Name(metric.name), metric.value) }
        if group == .invariants { places(Invariants.process.violations) }
        if group != .top { endObject() }
    }

    /// Writes the broken invariants, by place in the code.
    private mutating func places(_ violations: [Invariants.Violation]) {
        key("places")
        beginArray()
        for violation in violations {
            beginObject()
            member("place", violation.place)
            member("belief", violation.belief)
            member("count", violation.count)
            endObject()
        }
        endArray()
    }
}

private func write(_ rows: [EffectiveSetting], under key: Name, to writer: inout JSONWriter) {
    writer.key(key)
    writer.beginObject()
    for row in rows {
        writer.key(Name(row.name))
        writer.beginObject()
        writer.member("value", row.value)
        writer.member("origin", row.origin)
        if let file = row.file { writer.member("file", file) }
        if let line = row.line { writer.member("line", line) }
        if let meaning = row.meaning { writer.member("meaning", meaning) }
        writer.endObject()
    }
    writer.endObject()
}
