// The current state of the optimizer: slots under MindSpore's names, and the scalars.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// `GET /v1/models/{m}/state`.
@Sendable func getState(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let representation = try Representation(call)
    let average = try call.average(of: model.publication.current.facts)
    return .answer { exchange in
        // The model makes the copy between two updates.
        model.export { result in
            let export: ModelExport
            do throws(ServingError) { export = try result.get().part(average) } catch {
                return call.answer(exchange, Problem(error))
            }
            let validators = stateValidators(call, export, representation)
            if validators.hold { return exchange.complete { validators.notModified } }
            call.api.registry.slices.add {
                call.answer(exchange) { () throws(Problem) in
                    switch representation {
                    case .json: try stateDocument(call, export, validators.headers)
                    case .safetensors: stateFile(export, validators.headers)
                    }
                }
            }
        }
    }
}

/// The state may change without a new version: a skipped update resets a counter, a registration starts an epoch.
private func stateValidators(
    _ call: Call, _ export: ModelExport, _ representation: Representation
) -> Validators {
    let source = export.average.map { "\($0.name)-" } ?? ""
    return call.validators(
        export.version, "\(source)state-\(representation.rawValue)-\(export.digest)", isJSON: representation == .json)
}

private func stateDocument(
    _ call: Call, _ export: ModelExport, _ headers: [(name: String, value: String)]
) throws(Problem) -> Response {
    let maker = TensorDocument(
        indented: call.isIndented,
        front: { writer in
            writer.beginObject()
            writer.member("model", export.version.facts.name)
            writer.members(of: export.version)
            writer.members(of: export.average)
            writer.member("digest", export.digest)
            writer.key("scalars")
            writer.beginObject()
            for (name, value) in export.scalars { writer.member(Name(name), value) }
            writer.endObject()
            writer.key("slots")
            writer.beginObject()
            for (name, count) in export.counts { writer.count(name, count) }
        },
        tensors: export.slots.count, tensor: { export.tensor($0) },
        back: { writer in
            writer.endObject()
            writer.endObject()
        })
    do throws(ServingError) {
        let isShort = export.documentBytes <= PieceSize.inPlace
        let body = try MadeStream.body(of: maker, isShort: isShort, call.api.registry)
        return Response(status: 200, headers: [WireFormat.json.header] + headers, body: body)
    } catch {
        throw Problem(error)
    }
}

extension JSONWriter {
    /// Writes a count of updates in the form of a file's tensor.
    fileprivate mutating func count(_ name: Name, _ count: Int) {
        key(name)
        beginObject()
        member("dtype", ElementType.int64.rawValue)
        key("shape")
        integers([])
        key("data")
        integers([count])
        endObject()
    }
}

private func stateFile(_ export: ModelExport, _ headers: [(name: String, value: String)]) -> Response {
    let counts = export.counts.map { (name: $0.name, type: ElementType.int64, shape: [Int]()) }
    let slots = export.slots.map { (name: $0.name, type: ElementType.float32, shape: $0.shape.dimensions) }
    let known = versionMetadata(export.version, export.average) + export.scalars.map { (Name($0.name), "\($0.value)") }
    let metadata = known + [(FileChecksum.key, FileChecksum.text(metadata: known, tensors: export.checked))]
    // Counts come first: they have eight bytes each, so they are aligned wherever the file is mapped.
    let head = SafetensorsHeader.encode(counts + slots, metadata: metadata)
    let steps = export.counts.flatMap { withUnsafeBytes(of: Int64($0.value).littleEndian, Array.init) }
    let data = export.slots.map { Response.Segment(owner: export, bytes: UnsafeRawBufferPointer($0.values)) }
    return Response(
        status: 200, headers: headers + safetensorsHeaders("\(export.version.facts.name)-state", export.average?.name),
        body: .segments([SharedBytes(head + steps).segment] + data))
}

extension ModelExport {
    /// The most bytes of the state as JSON.
    fileprivate var documentBytes: Int {
        slots.indices.reduce(1024 + 256 * (counts.count + scalars.count)) { $0 + tensor($1).bytes.upperBound }
    }

    /// A slot in a JSON document.
    fileprivate func tensor(_ index: Int) -> DocumentTensor {
        let slot = slots[index]
        return DocumentTensor(
            key: slot.name, shape: slot.shape.dimensions, type: .float32, encoding: .plain,
            values: TensorValues(slot.values, keptBy: self))
    }

    /// The input of the file's checksum.
    fileprivate var checked: [FileChecksum.Tensor] {
        counts.map { (name: $0.name, shape: [], fingerprint: Fingerprint(of: $0.value)) }
            + slots.map { slot in
                (
                    name: slot.name, shape: slot.shape.dimensions,
                    fingerprint: Fingerprint(of: UnsafeRawBufferPointer(slot.values))
                )
            }
    }
}

/// The origin, as every safetensors file of this server states it.
func versionMetadata(_ version: PublishedVersion, _ average: PublishedAverage? = nil) -> [(Name, String)] {
    [
        ("format", "pt"), ("paramd.model", version.facts.name), ("paramd.step", "\(version.step)"),
        ("paramd.version", "\(version.version)"), ("paramd.cursor", "\(version.cursor)"),
    ] + averageMetadata(average?.name, updates: average?.updates ?? 0)
}

/// Which average a file holds; empty for the parameters themselves.
func averageMetadata(_ name: Name?, updates: Int) -> [(Name, String)] {
    guard let name else { return [] }
    return [("paramd.average", name.text), ("paramd.average_updates", "\(updates)")]
}

/// The headers of a safetensors answer; a browser or `curl -OJ` saves it as `name`, with the average in it.
func safetensorsHeaders(_ name: String, _ average: Name? = nil) -> [(name: String, value: String)] {
    let file = average.map { "\(name)-\($0)" } ?? name
    return [
        WireFormat.safetensors.header,
        (name: "Content-Disposition", value: "attachment; filename=\"\(file).safetensors\""),
    ]
}
