// The answer with one parameter or some of its rows. Rows may be repeated, so that a short request causes a long answer
// of many pieces: their memory is taken from the budget before they are listed.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// A parameter of one version, or some of its rows, to be sent.
struct TensorBlock: Sendable {
    /// The memory of an answer while it is sent.
    private final class Loan: Sendable {
        let version: PublishedVersion
        let memory: Reservation

        init(_ version: PublishedVersion, _ memory: Reservation) {
            self.version = version
            self.memory = memory
        }
    }

    /// The bytes of a row in an answer: its number and a piece to send.
    private static let bytesPerRow = 96

    private let loan: Loan
    private let average: PublishedAverage?
    private let parameter: ParameterLayout
    private let rows: [Int]?
    private let form: TensorForm
    private let tensor: DocumentTensor

    /// Makes the block, with all rows or some.
    ///
    /// - Throws: `outOfMemory` or `exceedsMemory` if the budget has no room for the answer; `averageNotStarted` for an
    ///   average without values.
    init(
        _ version: PublishedVersion, _ average: Name?, _ index: Int, rows: [Int]?, as form: TensorForm,
        _ encoding: TensorEncoding, _ budget: MemoryBudget
    ) throws(Problem) {
        let parameter = version.facts.layout.parameters[index]
        self.parameter = parameter
        self.rows = rows
        self.form = form
        let (loan, arena): (Loan, Arena)
        do throws(ServingError) {
            arena = try version.values(of: average)
            self.average = try average.map { name throws(ServingError) in try version.average(name) }
            loan = Loan(version, try budget.reserve((rows?.count ?? 1) * Self.bytesPerRow))
        } catch {
            throw Problem(error)
        }
        self.loan = loan
        tensor = DocumentTensor(
            shape: rows.map { [$0.count] + parameter.shape.dimensions.dropFirst() } ?? parameter.shape.dimensions,
            type: encoding.type(of: parameter), encoding: encoding,
            values: TensorValues(
                UnsafeBufferPointer(arena.buffer[parameter.range]), rows: rows, width: parameter.shape.rowCount,
                keptBy: loan))
    }

    /// Completes the exchange; long content is made on model threads.
    ///
    /// - Parameter headers: those of the version.
    func answer(_ exchange: Exchange, _ call: Call, headers: [(name: String, value: String)]) {
        if isShort { return call.answer(exchange) { () throws(Problem) in try response(call, headers) } }
        call.api.registry.slices.add {
            call.answer(exchange) { () throws(Problem) in try response(call, headers) }
        }
    }

    private var isShort: Bool {
        let rowBytes = (rows?.count ?? 0) * Self.bytesPerRow
        return tensor.bytes.upperBound + rowBytes <= PieceSize.inPlace
    }

    private func response(_ call: Call, _ headers: [(name: String, value: String)]) throws(Problem) -> Response {
        var beyond = BeyondRange(tensor.encoding)
        if beyond.mayFind, !tensor.type.isInteger {
            for piece in tensor.values.pieces { beyond.note(parameter.name, piece) }
        }
        let headers = headers + beyond.headers
        switch form {
        case .json:
            return try made(document(indented: call.isIndented, beyond), headers + [form.format.header], call)
        case .safetensors:
            let named = (name: parameter.name, type: tensor.type, shape: tensor.shape)
            let head = SafetensorsHeader.encode([named], metadata: versionMetadata(loan.version, average))
            return try binary(head, headers + safetensorsHeaders(loan.version.facts.name, average?.name), call)
        case .npy:
            guard let descriptor = tensor.type.row.numpy else {
                throw Problem(.invalidQuery, "NumPy files cannot hold \(tensor.type.rawValue); leave out `dtype`.")
            }
            let head = NPY.header(shape: tensor.shape, descriptor: descriptor)
            return try binary(head, headers + [form.format.header], call)
        }
    }

    /// Float32 is sent without a copy; other types are converted.
    private func binary(
        _ head: [UInt8], _ headers: [(name: String, value: String)], _ call: Call
    ) throws(Problem) -> Response {
        guard tensor.type == .float32 else {
            return try made(TensorFile(head, [(tensor.values, tensor.type)]), headers, call)
        }
        let data = tensor.values.pieces.map { Response.Segment(owner: loan, bytes: UnsafeRawBufferPointer($0)) }
        return Response(status: 200, headers: headers, body: .segments([SharedBytes(head).segment] + data))
    }

    private func made(
        _ maker: some PieceMaker, _ headers: [(name: String, value: String)], _ call: Call
    ) throws(Problem) -> Response {
        do throws(ServingError) {
            let body = try MadeStream.body(of: maker, isShort: isShort, call.api.registry)
            return Response(status: 200, headers: headers, body: body)
        } catch {
            throw Problem(error)
        }
    }

    private func document(indented: Bool, _ beyond: BeyondRange) -> TensorDocument {
        TensorDocument(
            indented: indented,
            front: { writer in
                writer.beginObject()
                writer.member("name", parameter.name)
                writer.members(of: loan.version)
                writer.members(of: average)
                if let rows {
                    writer.key("rows")
                    writer.integers(rows)
                }
            },
            tensors: 1, tensor: { _ in tensor },
            back: { writer in
                writer.warnings(beyond)
                writer.endObject()
            })
    }
}
