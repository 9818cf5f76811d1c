// A common interface to the two formats of tensors.

import Names
import Optimizers
import TensorCoding

/// A body with tensors that has been read to its end.
struct TensorBody {
    var tensors: [DecodedTensor]
    /// The members other than tensors.
    var fields: [JSONMember]
    /// The mistakes found while reading.
    var complaints: [Complaint]
    /// Whether `fields` are the metadata of a safetensors file, where unknown keys are allowed.
    var isMetadata = false
}

/// Reads a body with tensors in either format, in pieces as they arrive.
final class BodyReader: ContentReader {
    var loan: BodyLoan { sink.loan }
    private let sink: GradientSink
    private let format: BodyFormat
    private var json: JSONBodyReader
    private var safetensors: SafetensorsReader

    /// Makes a reader for one body.
    ///
    /// - Parameters:
    ///   - format: the format of the body.
    ///   - section: the member of a JSON body that contains the tensors.
    ///   - sink: receives their numbers.
    ///   - passesUnknownTypes: whether to read a file although it has tensors of unknown types.
    init(_ format: BodyFormat, section: Name, sink: GradientSink, passesUnknownTypes: Bool = false) {
        self.format = format
        self.sink = sink
        json = JSONBodyReader(tensorKeys: [section], sink: sink)
        safetensors = SafetensorsReader(
            sink: sink,
            limits: SafetensorsLimits(
                headerInPlace: PieceSize.inPlace, tensorsInPlace: FixedLimits.namesInPlace,
                passesUnknownTypes: passesUnknownTypes))
    }

    var hasLongWork: Bool { safetensors.hasLongWork || json.hasLongWork }

    func work() throws(Problem) {
        try parsing(try json.work())
        do throws(SafetensorsError) { try safetensors.work() } catch { throw Problem(error, loan) }
        if let failure = sink.failure { throw failure }
    }

    func read(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        sink.expect(bytes.count)
        try take(bytes)
        if let failure = sink.failure { throw failure }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        switch format {
        case .json: try parsing(try json.read(bytes))
        case .safetensors:
            do throws(SafetensorsError) { try safetensors.read(bytes) } catch { throw Problem(error, loan) }
        }
    }

    func finish() throws(Problem) -> TensorBody {
        switch format {
        case .json:
            return try document(try parsing(try json.finish()))
        case .safetensors:
            let body: SafetensorsBody
            do throws(SafetensorsError) { body = try safetensors.finish() } catch { throw Problem(error, loan) }
            if body.issues.contains(where: { $0.kind == .budget }) { throw Problem(body.issues, loan) }
            let fields = body.metadata.map { JSONMember($0.key, PushFields.value(of: $0.value, for: $0.key)) }
            return TensorBody(
                tensors: body.tensors, fields: fields, complaints: body.issues.map(Complaint.init), isMetadata: true)
        }
    }

    private func document(_ body: JSONBody) throws(Problem) -> TensorBody {
        guard let members = body.document.members else {
            throw Problem([
                Complaint(
                    pointer: "", exception: .typeError, detail: "the body must be an object, not \(body.document.kind)")
            ])
        }
        if body.issues.contains(where: { $0.kind == .budget }) { throw Problem(body.issues, loan) }
        return TensorBody(tensors: body.tensors, fields: members, complaints: body.issues.map(Complaint.init))
    }
}
