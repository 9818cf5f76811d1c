// One parameter: all of it, some rows, as JSON or as an .npy file; and the block of rows that an embedding pull wants.

import HTTPServing
import Optimizers
import ParameterServing
import TensorCoding

/// `GET /v1/models/{m}/parameters/{p}`.
@Sendable func getParameter(_ call: Call) throws(Problem) -> Action {
    try call.allowQueries("rows", "dtype", "encoding")
    let model = try call.model()
    let index = try parameterIndex(call, model.layout)
    let rows = try call.query("rows").map { text throws(Problem) in
        try RowSelection(text, of: model.layout.parameters[index])
    }
    let encoding = try TensorEncoding(call)
    return .answer { exchange in
        let version = model.publication.current
        let tag = EntityTag(version, "p\(index)-\(call.suffix ?? encoding.key)-\(digest(of: call.query("rows") ?? ""))")
        let headers = [(name: "ETag", value: tag.text)] + versionHeaders(version)
        if tag.matches(ifNoneMatch: call.request.headers) {
            return exchange.complete { Response(status: 304, headers: headers) }
        }
        let tensor = Block(version, index, rows: rows?.rows)
        exchange.complete {
            call.suffix == "npy" ? npy(tensor, headers) : blockDocument(tensor, encoding, call.isIndented, headers)
        }
    }
}

/// `POST /v1/models/{m}/parameters/{p}/lookup`: `{"rows":[...]}`.
@Sendable func lookUpRows(_ call: Call) throws(Problem) -> Action {
    try call.allowQueries("dtype", "encoding")
    let model = try call.model()
    let index = try parameterIndex(call, model.layout)
    _ = try BodyFormat(call.request, takesTensors: false)
    let encoding = try TensorEncoding(call)
    let receiver = DocumentReceiver(call) { document, exchange throws(Problem) in
        guard document.members?.count == 1, let elements = document["rows"]?.elements else {
            throw Problem([Complaint(pointer: "/rows", exception: .typeError, detail: "write {\"rows\":[0,5,9]}")])
        }
        let numbers = elements.compactMap(\.integer)
        guard numbers.count == elements.count else {
            throw Problem([Complaint(pointer: "/rows", exception: .typeError, detail: "rows are whole numbers")])
        }
        let selection = try RowSelection(numbers.map { Int($0) }, of: model.layout.parameters[index])
        let version = model.publication.current
        let block = Block(version, index, rows: selection.rows)
        exchange.complete { blockDocument(block, encoding, call.isIndented, versionHeaders(version)) }
    }
    return .read(receiver, limit: DocumentReceiver.limit)
}

private func blockDocument(
    _ block: Block, _ encoding: TensorEncoding, _ indented: Bool, _ headers: [(name: String, value: String)]
) -> Response {
    .json(indented: indented, headers: headers) { writer in
        writer.beginObject()
        writer.member("name", block.parameter.name)
        writer.member("step", block.version.step)
        writer.member("version", block.version.version)
        if let rows = block.rows {
            writer.key("rows")
            writer.integers(rows)
        }
        block.values.withUnsafeBufferPointer { writer.members(of: $0, block.shape, encoding) }
        writer.endObject()
    }
}

private func npy(_ block: Block, _ headers: [(name: String, value: String)]) -> Response {
    let head = SharedBytes(NPY.header(shape: block.shape)).segment
    let type = (name: "Content-Type", value: "application/octet-stream")
    return Response(
        status: 200, headers: headers + [type],
        body: .segments(
            [head] + block.pieces.map { Response.Segment(owner: block.version, bytes: UnsafeRawBufferPointer($0)) }))
}

/// The place of the parameter that the path names.
private func parameterIndex(_ call: Call, _ layout: ArenaLayout) throws(Problem) -> Int {
    let name = call.argument("p")
    guard let index = layout.index(of: name) else {
        throw Problem(
            .notFound,
            "The model has no parameter `\(name)`; \(NearestNames.hint(name, among: layout.parameters.map(\.name)))")
    }
    return index
}

/// A parameter of one version, or some rows of it.
private struct Block: Sendable {
    let version: PublishedVersion
    let parameter: ParameterLayout
    let rows: [Int]?

    init(_ version: PublishedVersion, _ index: Int, rows: [Int]?) {
        self.version = version
        self.parameter = version.facts.layout.parameters[index]
        self.rows = rows
    }

    var shape: [Int] {
        guard let rows else { return parameter.shape.dimensions }
        return [rows.count] + parameter.shape.dimensions.dropFirst()
    }

    /// The values where they lie.
    var pieces: [UnsafeBufferPointer<Float>] {
        let start = parameter.range.lowerBound
        guard let rows else { return [UnsafeBufferPointer(version.arena.buffer[parameter.range])] }
        let width = parameter.shape.rowCount
        return rows.map { row in
            UnsafeBufferPointer(version.arena.buffer[start + row * width..<start + (row + 1) * width])
        }
    }

    /// The values in one piece.
    var values: [Float] { pieces.flatMap { Array($0) } }
}
