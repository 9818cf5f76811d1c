// A version by its uid and number: what it names never changes, so caches may keep it for ever.

import HTTPServing
import ParameterServing

/// `GET /v1/models/{m}/versions/{v}/parameters`: the version that is published now, under its permanent name.
@Sendable func getVersionedParameters(_ call: Call) throws(Problem) -> Action {
    try call.allowQueries("group", "name", "dtype", "encoding", "meta_only", "since", "min_step", "wait")
    let model = try call.model()
    let wanted = call.argument("v")
    let parts = wanted.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, ModelUID(parts[0]) != nil, Int(parts[1]) != nil else {
        throw Problem(.notFound, "A version is written UID-NUMBER, such as 0f3a5c71-12, not `\(wanted.prefix(40))`.")
    }
    let selection = try Selection(call, layout: model.layout)
    return .answer { exchange in
        let version = model.publication.current
        guard wanted == "\(version.uid)-\(version.version)" else {
            let detail =
                "Version \(wanted.prefix(40)) is not retained; \(version.uid)-\(version.version) is the newest."
            return call.answer(exchange, Problem(.gone, detail))
        }
        PullAnswer(call, version, selection, isImmutable: true).complete(exchange)
    }
}
