// A safetensors file sent as a whole: a model or the state of its optimizer. Any mistake in it, even one bit, is
// answered with 422 and nothing is applied. ModelFile and StateFile interpret the content.

import Names
import Optimizers
import ParameterServing
import TensorCoding

/// A file that was read to its end and is consistent.
struct UploadedFile {
    let metadata: [Name: String]
    /// Tensors of numbers by name, all finite except gradients of held pushes that overflowed.
    let tensors: [Name: (shape: [Int], values: Floats)]
    /// Counts by name: `PARAMETER#step`.
    let counts: [Name: Int]

    /// Checks the tensors and metadata read.
    ///
    /// - Parameter mayOverflow: tells whether a tensor may contain NaN or infinity.
    /// - Throws: `invalidContent` for tensors that cannot be read or contain NaN or infinity without `mayOverflow`, and for
    ///   a wrong checksum.
    init(_ body: SafetensorsBody, mayOverflow: (Name) -> Bool) throws(Problem) {
        if !body.issues.isEmpty { throw Problem(body.issues) }
        try FileChecksum.check(body)
        if let stray = body.tensors.first(where: { !$0.isFinite && !mayOverflow($0.name) }) {
            throw Problem([
                Complaint(
                    pointer: stray.pointer, exception: .valueError, detail: "`\(stray.name)` holds NaN or infinity",
                    expected: "finite numbers")
            ])
        }
        var tensors: [Name: (shape: [Int], values: Floats)] = [:]
        var counts: [Name: Int] = [:]
        for tensor in body.tensors {
            switch tensor.content {
            case .dense(let buffer?):
                let values = Floats(owner: buffer, values: UnsafeBufferPointer(buffer.values))
                tensors[tensor.name] = (tensor.shape ?? [], values)
            case .count(let count): counts[tensor.name] = count
            default: throw Problem([Complaint(pointer: tensor.pointer, exception: .typeError, detail: Self.noRows)])
            }
        }
        (metadata, self.tensors, self.counts) = (body.metadata, tensors, counts)
    }

    private static let noRows = "sparse rows are only for gradients; send whole tensors"
}

/// Reads an uploaded file.
final class FileReader: ContentReader {
    let loan: BodyLoan
    private var reader: SafetensorsReader
    private let mayOverflow: (Name) -> Bool

    /// - Parameters:
    ///   - integers: says which tensors may, or must, consist of integers.
    ///   - mayOverflow: tells whether a tensor may contain NaN or infinity.
    init(
        _ call: Call, integers: @escaping (Name) -> IntegerUse = { _ in .refused },
        mayOverflow: @escaping (Name) -> Bool = { _ in false }
    ) {
        loan = BodyLoan(call)
        self.mayOverflow = mayOverflow
        reader = SafetensorsReader(
            sink: GrowingSink(loan, integers: integers),
            limits: SafetensorsLimits(headerInPlace: PieceSize.inPlace, tensorsInPlace: FixedLimits.namesInPlace))
    }

    var hasLongWork: Bool { reader.hasLongWork }

    func work() throws(Problem) {
        do throws(SafetensorsError) { try reader.work() } catch { throw problem(error) }
    }

    func read(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        do throws(SafetensorsError) { try reader.read(bytes) } catch { throw problem(error) }
    }

    func finish() throws(Problem) -> UploadedFile {
        let body: SafetensorsBody
        do throws(SafetensorsError) { body = try reader.finish() } catch { throw problem(error) }
        if body.issues.contains(where: { $0.kind == .budget }) { throw Problem(body.issues, loan) }
        return try UploadedFile(body, mayOverflow: mayOverflow)
    }

    /// A damaged header is 422 like any other damage of the file, not 400 as in a push.
    private func problem(_ error: SafetensorsError) -> Problem {
        if error == .overBudget { return Problem(error, loan) }
        return Problem([
            Complaint(
                pointer: "", exception: .valueError,
                detail: "the file is damaged, or not a safetensors file: \(error); send it again from its source")
        ])
    }
}

/// Lets tensors grow within the budget.
final class GrowingSink: TensorSink {
    let loan: BodyLoan
    private let integerUse: (Name) -> IntegerUse

    init(_ loan: BodyLoan, integers: @escaping (Name) -> IntegerUse = { _ in .refused }) {
        self.loan = loan
        integerUse = integers
    }

    func integers(for name: Name) -> IntegerUse { integerUse(name) }

    func destination(for name: Name, in section: Name) -> TensorDestination { .growing }

    func allowGrowth(bytes: Int) -> Bool { loan.take(bytes) }
}
