// One parameter: all of it or some rows, as JSON, safetensors or an .npy file; and the rows of an embedding in one
// request.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// `GET /v1/models/{m}/parameters/{p}`.
@Sendable func getParameter(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let version = model.publication.current
    let (index, form) = try tensor(call, version.facts.layout)
    let encoding = try form.encoding(call)
    let average = try call.average(of: version.facts)
    let rows = try call.query(.rows).map { text throws(Problem) in
        try RowSelection(text, of: version.facts.layout.parameters[index])
    }
    return .answer { exchange in
        let choice = call.query(.rows).map { "-\(digest(of: $0))" } ?? ""
        let source = average.map { "\($0)-" } ?? ""
        let validators = call.validators(
            version, "\(source)p\(index)-\(form.rawValue)\(encoding.key)\(choice)", isJSON: form == .json)
        if validators.hold { return exchange.complete { validators.notModified } }
        do throws(Problem) {
            let block = try TensorBlock(
                version, average, index, rows: rows?.rows, as: form, encoding, call.api.registry.budget)
            block.answer(exchange, call, headers: validators.headers)
        } catch {
            call.answer(exchange, error)
        }
    }
}

/// `POST /v1/models/{m}/parameters/{p}/lookup`: `{"rows":[...]}`.
@Sendable func lookUpRows(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    _ = try call.bodyFormat()
    let form = try TensorForm(call)
    let encoding = try form.encoding(call)
    let average = try call.average(of: model.publication.current.facts)
    let receiver = ContentReceiver(call, DocumentReader(call)) { document, exchange throws(Problem) in
        let version = model.publication.current
        let index = try parameterIndex(Name(call.argument("p")), version.facts.layout)
        let rows = try RowSelection(document, of: version.facts.layout.parameters[index])
        let block = try TensorBlock(
            version, average, index, rows: rows.rows, as: form, encoding, call.api.registry.budget)
        block.answer(exchange, call, headers: versionHeaders(version))
    }
    return .read(receiver, limit: DocumentReader.limit)
}

/// The parameter named in the path, and the format from its suffix or the Accept header.
///
/// A name may end in `.npy`: if there is such a parameter, the path names it and no file.
private func tensor(_ call: Call, _ layout: ArenaLayout) throws(Problem) -> (Int, TensorForm) {
    let name = Name(call.argument("p"))
    guard let suffix = call.suffix, let form = TensorForm(rawValue: suffix) else {
        return (try parameterIndex(name, layout), try TensorForm(call))
    }
    if let index = layout.index(of: Name("\(name).\(suffix)")) { return (index, try TensorForm(accepting: call)) }
    return (try parameterIndex(name, layout), form)
}

private func parameterIndex(_ name: Name, _ layout: ArenaLayout) throws(Problem) -> Int {
    guard let index = layout.index(of: name) else {
        let hint = NearestNames.hint(name, among: layout.parameters.lazy.map(\.name))
        throw Problem(.notFound, "The model has no parameter `\(name)`; \(hint)")
    }
    return index
}
