// A safetensors file that is sent as a whole: a model or the state of its optimizer. Whatever is wrong with it, one bit
// included, is 422 and nothing has been done. ModelFile and StateFile make of it what they are about.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// A file that was read to its end and is intact, as far as it can tell.
struct UploadedFile {
    let metadata: [Name: String]
    /// Tensors of numbers by name; all finite.
    let tensors: [Name: (shape: [Int], values: Floats)]
    /// Counts by name: `PARAMETER#step`.
    let counts: [Name: Int]

    /// Checks what was read.
    ///
    /// - Throws: `invalidContent` for tensors that cannot be read or hold NaN or infinity, and for a wrong checksum.
    init(_ body: SafetensorsBody) throws(Problem) {
        if !body.issues.isEmpty { throw Problem(body.issues) }
        try FileChecksum.check(body)
        if let stray = body.tensors.first(where: { !$0.isFinite }) {
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

    private static let noRows = "a file holds whole tensors; rows are for gradients"
}

/// Collects an uploaded file.
final class FileReceiver: BodyReceiver {
    private let call: Call
    private let done: (UploadedFile, Exchange) throws(Problem) -> Void
    private let sink: GrowingSink
    private var reader: SafetensorsReader
    private var head = BodyHead()

    /// - Parameters:
    ///   - integers: tells which tensors may, or have to, consist of integers.
    ///   - done: called with the file once it is there and intact; what it throws is the answer.
    init(
        _ call: Call, integers: @escaping (Name) -> IntegerUse = { _ in .refused },
        then done: @escaping (UploadedFile, Exchange) throws(Problem) -> Void
    ) {
        self.call = call
        self.done = done
        sink = GrowingSink(BodyLoan(call), integers: integers)
        reader = SafetensorsReader(sink: sink)
    }

    var payers: [String] { sink.loan.payers }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? {
        head.note(bytes)
        do throws(SafetensorsError) {
            try reader.read(bytes)
            return nil
        } catch .headerTooLarge(let length, let limit) {
            // The first bytes of a file of another format say a length that no header has.
            let problem = problem(.headerTooLarge(length: length, limit: limit))
            return head.explain(problem, of: call.request).response(for: call.request)
        } catch {
            return problem(error).response(for: call.request)
        }
    }

    func finish(_ exchange: Exchange) {
        call.finish(exchange) { [self] () throws(Problem) in
            let body = try body()
            if body.issues.contains(where: { $0.kind == .budget }) { throw Problem(body.issues, sink.loan) }
            try done(UploadedFile(body), exchange)
        }
    }

    func abandon() {}

    private func body() throws(Problem) -> SafetensorsBody {
        do throws(SafetensorsError) { return try reader.finish() } catch { throw problem(error) }
    }

    /// A damaged header is damaged content like any other here, and no mistake of a program that writes bodies.
    private func problem(_ error: SafetensorsError) -> Problem {
        if error == .overBudget { return Problem(error, sink.loan) }
        return Problem([
            Complaint(
                pointer: "", exception: .valueError,
                detail: "the file is damaged, or not a safetensors file: \(error); send it again from its source")
        ])
    }
}

/// Lets tensors grow as far as the budget goes.
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
