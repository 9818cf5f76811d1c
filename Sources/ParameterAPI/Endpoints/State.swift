// The optimizer's state as it is: slots under MindSpore's names, and the scalars beside them.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// `GET /v1/models/{m}/state`.
@Sendable func getState(_ call: Call) throws(Problem) -> Action {
    try call.allowQueries()
    let model = try call.model()
    let representation = try Representation(call)
    return .answer { exchange in
        // The copy is taken by the model between two updates; it is encoded on this connection's own thread.
        model.export { result in
            let export: ModelExport
            let memory: Reservation?
            do throws(ServingError) {
                export = try result.get()
                memory = representation == .json ? try call.api.registry.budget.reserve(export.documentBytes) : nil
            } catch {
                return call.answer(exchange, Problem(error))
            }
            let validators = stateValidators(call, export, representation)
            if validators.hold { return exchange.complete { validators.notModified } }
            exchange.complete {
                switch representation {
                case .json: stateDocument(export, indented: call.isIndented, validators.headers, memory)
                case .safetensors: stateFile(export, validators.headers)
                }
            }
        }
    }
}

/// The state may change without a new version: a skipped update resets a counter, a registration begins an epoch.
private func stateValidators(
    _ call: Call, _ export: ModelExport, _ representation: Representation
) -> Validators {
    call.validators(
        export.version, "state-\(representation.rawValue)-\(export.digest)", isJSON: representation == .json)
}

private func stateDocument(
    _ export: ModelExport, indented: Bool, _ headers: [(name: String, value: String)], _ memory: Reservation?
) -> Response {
    var response = Response.json(indented: indented, headers: headers) { writer in
        writer.beginObject()
        writer.member("model", export.version.facts.name)
        writer.members(of: export.version)
        writer.member("digest", export.digest)
        writer.key("scalars")
        writer.beginObject()
        for (name, value) in export.scalars { writer.member(Name(name), value) }
        writer.endObject()
        writer.key("slots")
        writer.beginObject()
        for (name, count) in export.counts {
            writer.key(name)
            writer.beginObject()
            writer.member("dtype", ElementType.int64.rawValue)
            writer.key("shape")
            writer.integers([])
            writer.key("data")
            writer.integers([count])
            writer.endObject()
        }
        for slot in export.slots {
            writer.key(slot.name)
            writer.beginObject()
            writer.key("shape")
            writer.integers(slot.shape.dimensions)
            writer.key("data")
            writer.numbers(slot.values)
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
    }
    response.loan = memory
    return response
}

private func stateFile(_ export: ModelExport, _ headers: [(name: String, value: String)]) -> Response {
    let counts = export.counts.map { (name: $0.name, type: ElementType.int64, shape: [Int]()) }
    let slots = export.slots.map { (name: $0.name, type: ElementType.float32, shape: $0.shape.dimensions) }
    let known = versionMetadata(export.version) + export.scalars.map { (Name($0.name), "\($0.value)") }
    let metadata = known + [(FileChecksum.key, FileChecksum.text(metadata: known, tensors: export.checked))]
    // Counts first: eight bytes each, so that they are aligned wherever the file is mapped.
    let head = SafetensorsHeader.encode(counts + slots, metadata: metadata)
    let steps = export.counts.flatMap { withUnsafeBytes(of: Int64($0.value).littleEndian, Array.init) }
    let data = export.slots.map { Response.Segment(owner: export, bytes: UnsafeRawBufferPointer($0.values)) }
    return Response(
        status: 200, headers: headers + safetensorsHeaders(export.version.facts.name + "-state"),
        body: .segments([SharedBytes(head + steps).segment] + data))
}

extension ModelExport {
    /// The most that the state takes as JSON.
    fileprivate var documentBytes: Int {
        slots.reduce(1024 + 256 * (counts.count + scalars.count)) { sum, slot in
            sum + 256 + 2 * slot.name.utf8.count + slot.values.count * JSONWriter.bytesPerValue
        }
    }

    /// What the checksum of the file covers.
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

/// What every safetensors file says of where it comes from.
func versionMetadata(_ version: PublishedVersion) -> [(Name, String)] {
    [
        ("format", "pt"), ("paramd.model", version.facts.name), ("paramd.step", "\(version.step)"),
        ("paramd.version", "\(version.version)"), ("paramd.cursor", "\(version.cursor)"),
    ]
}

/// The headers of a safetensors answer; `name` is the file that a browser or `curl -OJ` saves.
func safetensorsHeaders(_ name: String) -> [(name: String, value: String)] {
    [
        (name: "Content-Type", value: "application/vnd.safetensors"),
        (name: "Content-Disposition", value: "attachment; filename=\"\(name).safetensors\""),
    ]
}
