// The answer with one parameter or some rows of it. Rows may be asked for many times over, so that a short request makes
// a long answer: its memory is taken from the budget before it is made.

import HTTPServing
import Optimizers
import ParameterServing
import TensorCoding

/// A parameter of one version, or some rows of it, about to be sent.
struct TensorBlock: Sendable {
    /// What an answer holds while it is being sent.
    private final class Loan: Sendable {
        let version: PublishedVersion
        let memory: Reservation

        init(_ version: PublishedVersion, _ memory: Reservation) {
            self.version = version
            self.memory = memory
        }
    }

    private let loan: Loan
    private let parameter: ParameterLayout
    private let rows: [Int]?
    private let form: TensorForm
    private let encoding: TensorEncoding

    /// Makes the block, of all rows or of some.
    ///
    /// - Throws: `outOfMemory` or `exceedsMemory` when the budget has no room for the answer.
    init(
        _ version: PublishedVersion, _ index: Int, rows: [Int]?, as form: TensorForm, _ encoding: TensorEncoding,
        _ budget: MemoryBudget
    ) throws(Problem) {
        parameter = version.facts.layout.parameters[index]
        self.rows = rows
        self.form = form
        self.encoding = encoding
        // The whole of it lists no rows, as if it were one.
        let count = rows?.count ?? 1
        let width = rows == nil ? parameter.range.count : parameter.shape.rowCount
        do throws(ServingError) {
            let bytes = Self.bytes(rows: count, width: width, form, encoding.type(of: parameter))
            loan = Loan(version, try budget.reserve(bytes))
        } catch {
            throw Problem(error)
        }
    }

    /// What the answer takes at its largest, with the copies that are made on the way.
    private static func bytes(rows: Int, width: Int, _ form: TensorForm, _ type: ElementType) -> Int {
        let perNumber = form == .json ? 48 : type == .float32 ? 0 : 8
        return rows * (96 + width * perNumber)
    }

    /// The answer; `headers` are those of the version.
    func response(_ call: Call, headers: [(name: String, value: String)]) -> Response {
        var beyond = BeyondRange(encoding)
        for piece in pieces where !type.isInteger { beyond.note(parameter.name, piece) }
        let headers = headers + beyond.headers
        switch form {
        case .json: return document(indented: call.isIndented, headers, beyond)
        case .safetensors:
            let tensor = (name: parameter.name, type: type, shape: shape)
            let head = SafetensorsHeader.encode([tensor], metadata: versionMetadata(loan.version))
            return binary(head, headers + safetensorsHeaders(loan.version.facts.name))
        case .npy:
            let media = (name: "Content-Type", value: "application/octet-stream")
            return binary(NPY.header(shape: shape, type: type), headers + [media])
        }
    }

    private func binary(_ head: [UInt8], _ headers: [(name: String, value: String)]) -> Response {
        Response(status: 200, headers: headers, body: .segments([SharedBytes(head).segment] + data))
    }

    private func document(
        indented: Bool, _ headers: [(name: String, value: String)], _ beyond: BeyondRange
    ) -> Response {
        var response = Response.json(indented: indented, headers: headers) { writer in
            writer.beginObject()
            writer.member("name", parameter.name)
            writer.members(of: loan.version)
            if let rows {
                writer.key("rows")
                writer.integers(rows)
            }
            values.withUnsafeBufferPointer { writer.members(of: $0, parameter, shape, encoding) }
            writer.warnings(beyond)
            writer.endObject()
        }
        if case .bytes(let bytes) = response.body {
            response.body = .segments([SharedBytes(bytes, memory: loan.memory).segment])
        }
        return response
    }

    private var type: ElementType { encoding.type(of: parameter) }

    private var shape: [Int] {
        guard let rows else { return parameter.shape.dimensions }
        return [rows.count] + parameter.shape.dimensions.dropFirst()
    }

    /// The values in binary: where they lie, where they go out as they are.
    private var data: [Response.Segment] {
        guard type == .float32 else {
            let bytes = values.withUnsafeBufferPointer { $0.encoded(as: type) }
            return [SharedBytes(bytes, memory: loan.memory).segment]
        }
        return pieces.map { Response.Segment(owner: loan, bytes: UnsafeRawBufferPointer($0)) }
    }

    private var pieces: [UnsafeBufferPointer<Float>] {
        let start = parameter.range.lowerBound
        let buffer = loan.version.arena.buffer
        guard let rows else { return [UnsafeBufferPointer(buffer[parameter.range])] }
        let width = parameter.shape.rowCount
        return rows.map { row in UnsafeBufferPointer(buffer[start + row * width..<start + (row + 1) * width]) }
    }

    /// The values in one piece.
    private var values: [Float] {
        guard let rows else { return Array(loan.version.arena.buffer[parameter.range]) }
        var values: [Float] = []
        values.reserveCapacity(rows.count * parameter.shape.rowCount)
        for piece in pieces { values.append(contentsOf: piece) }
        return values
    }
}
