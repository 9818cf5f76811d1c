// A version by its uid and number: what it names never changes, so caches may keep it forever.

import HTTPServing
import ParameterServing

/// `GET /v1/models/{m}/versions/{v}/parameters`: a retained version under its permanent name.
@Sendable func getVersionedParameters(_ call: Call) throws(Problem) -> Action {
    try call.allowQueries("group", "name", "dtype", "encoding", "meta_only")
    let model = try call.model()
    let selection = try Selection(call, layout: model.layout)
    let version = try retainedVersion(call.argument("v"), of: model)
    return .answer { exchange in
        PullAnswer(call, version, selection, isImmutable: true).complete(exchange)
    }
}

private func retainedVersion(_ wanted: String, of model: Model) throws(Problem) -> PublishedVersion {
    guard let cursor = Cursor(wanted) else {
        throw Problem(.notFound, "A version is written UID-NUMBER, such as 0f3a5c71-12, not `\(wanted.prefix(40))`.")
    }
    guard cursor.uid == model.uid, let version = model.publication.version(cursor.version) else {
        let newest = model.publication.current.cursor
        throw Problem(.gone, "Version \(wanted) is not retained; \(newest) is the newest.")
    }
    return version
}
