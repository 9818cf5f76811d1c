// A version by its uid and number: its content never changes, so caches may keep it forever.

import HTTPServing
import ParameterServing

/// `GET /v1/models/{m}/versions/{v}/parameters`: a retained version under its permanent name.
@Sendable func getVersionedParameters(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let version = try retainedVersion(call.argument("v"), of: model)
    let selection = try Selection(call, version.facts)
    return .answer { exchange in
        PullAnswer(call, version, selection, isImmutable: true).complete(exchange)
    }
}

private func retainedVersion(_ wanted: String, of model: Model) throws(Problem) -> PublishedVersion {
    guard let cursor = Cursor(wanted) else {
        throw Problem(
            .notFound, "A version must be written UID-NUMBER, such as 0f3a5c71-12, not `\(wanted.prefix(40))`.")
    }
    guard cursor.uid == model.uid, let version = model.publication.version(cursor.version) else {
        throw Problem(noLongerKept: cursor, newest: model.publication.current.cursor)
    }
    return version
}

extension Problem {
    /// The problem for a version that the model had, or may have had.
    init(noLongerKept version: Cursor, newest: Cursor) {
        self.init(.gone, "Version \(version) is no longer kept.", hint: "Pull the newest, \(newest).")
    }
}
