// `--limit NAME=VALUE` on the command line.

import ArgumentParser

/// A limit and the value that replaces its default.
struct LimitOption: Sendable {
    let limit: Limit
    let value: String

    /// - Throws: `ValidationError` that names the limits, or shows a value of this one.
    init(parsing argument: String) throws {
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        let settable = Limit.table.filter { !$0.isFixed }
        guard parts.count == 2, let limit = settable.first(where: { $0.name == parts[0] }) else {
            throw ValidationError("write NAME=VALUE, with one of \(settable.map(\.name).joined(separator: ", "))")
        }
        var settings = LayerSettings()
        let example = limit.text(in: settings)
        guard limit.set(parts[1], in: &settings) else {
            throw ValidationError("Unknown limit value `\(parts[1])` for \(limit.name). Use one such as \(example)")
        }
        self.limit = limit
        value = parts[1]
    }
}

extension Options {
    /// The settings of the layers below after all `--limit`s; the last one of a name wins.
    var layers: LayerSettings {
        var settings = LayerSettings()
        for option in limits { _ = option.limit.set(option.value, in: &settings) }
        return settings
    }
}
