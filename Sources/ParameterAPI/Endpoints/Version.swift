// A version by its uid and number: its content never changes, so caches may keep it forever.

import HTTPServing
import ParameterServing

/// `GET /v1/models/{m}/versions/{v}/parameters`: a retained version under its permanent name.
@Sendable func getVersionedParameters(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let version = try retainedVersion(call.argument("v"), of: model)
    let selection = try Selection(call, version.facts)
    let answer = try PullAnswer(call, version, selection, isImmutable: true)
    return .answer { exchange in answer.complete(exchange) }
}

private func retainedVersion(_ wanted: String, of model: Model) throws(Problem) -> PublishedVersion {
    guard let cursor = Cursor(wanted) else {
        throw Problem(
            .notFound, "A version must be written UID-NUMBER, such as 0f3a5c71-12, not `\(wanted.prefix(40))`.")
    }
    guard cursor.uid == model.uid else {
        throw Problem(ofEarlierModel: cursor, newest: model.publication.current.cursor)
    }
    // Read first: a version published after that cannot make the answer wrong.
    let newest = model.publication.current
    guard cursor.version <= newest.version else { throw Problem(notReached: cursor, newest: newest.cursor) }
    guard let version = model.publication.version(cursor.version) else {
        throw Problem(noLongerKept: cursor, oldest: model.publication.oldest.cursor, newest: newest.cursor)
    }
    return version
}

extension Problem {
    /// The problem for a version that the model had.
    init(noLongerKept version: Cursor, oldest: Cursor, newest: Cursor) {
        self.init(
            .gone, "Version \(version) is no longer available; the oldest available is \(oldest).",
            hint: "Pull the newest, \(newest).")
    }

    /// The problem for a version of another model, which has probably had this name.
    fileprivate init(ofEarlierModel version: Cursor, newest: Cursor) {
        self.init(
            .gone, "Version \(version) belongs to another model; the model that has this name now has another uid.",
            hint: "Pull the newest, \(newest).")
    }

    /// The problem for a version that may come: unlike the others, this answer will change.
    fileprivate init(notReached version: Cursor, newest: Cursor) {
        self.init(
            .notFound, "The model has not reached version \(version); the newest is \(newest).",
            hint: "Pull .../parameters with since=\(newest)&wait=30s to get the next one.")
    }
}
