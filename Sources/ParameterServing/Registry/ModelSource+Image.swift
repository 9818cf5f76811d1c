// A model from an uploaded file: the head of an image, and the values by name. Every tensor in the head must be present
// with its shape, and no other.

import Names
import Optimizers

extension ModelSource {
    /// A tensor of a file: its shape and its values.
    public typealias FileTensor = (shape: [Int], values: Floats)

    /// Reads the head of an image and takes its values from `tensors`: parameters by name, slots as `PARAMETER#SLOT`,
    /// averages as `PARAMETER#average.KIND`, the gradients of push K of the open round as `PARAMETER#held.K`.
    ///
    /// - Throws: `invalid` for a head that cannot be read, for missing or unknown tensors or wrong shapes, and for
    ///   numbers that are invalid in a state or a push; `noMemory`.
    public init(image: [UInt8], tensors: [Name: FileTensor], catalogue: Catalogue) throws(ServingError) {
        let bytes = tensors.values.reduce(0) { $0 + $1.values.values.count * MemoryLayout<Float>.stride }
        let head = try Self.head(image, floatBytes: bytes)
        let round = try Self.checkedRound(tensors, head, catalogue)
        let state = head.optimizer
        for slot in state.slots {
            try Self.fill(slot.buffer, "slot `\(slot.name)`", head.parameters, tensors) { Name("\($0)#\(slot.name)") }
        }
        for average in state.averages {
            try Self.fill(average.buffer, "average `\(average.kind.name)`", head.parameters, tensors) {
                AverageMemory.name(of: $0, in: average.kind)
            }
        }
        let parameters = head.parameters.compactMap { definition in
            tensors[definition.name].map { InitialParameter(definition: definition, value: .values($0.values)) }
        }
        self = .state(ModelDefinition(settings: head.settings, parameters: parameters), state, round)
    }

    private static func head(_ bytes: [UInt8], floatBytes: Int) throws(ServingError) -> ImageHead {
        try bytes.withUnsafeBufferPointer { bytes throws(ServingError) in
            var reader = ByteReader(UnsafeRawBufferPointer(bytes))
            do throws(FormatError) {
                return try ImageHead(reading: &reader, floatBytes: floatBytes)
            } catch {
                if let bytes = error.missingMemory { throw .noMemory(needed: bytes) }
                throw ServingError(
                    complaint("", "the metadata of the file cannot be read; it may come from another release"))
            }
        }
    }

    /// Compares the file's tensors with those of the head's definition and of its round.
    ///
    /// - Returns: the round, with its gradients.
    private static func checkedRound(
        _ tensors: [Name: FileTensor], _ head: ImageHead, _ catalogue: Catalogue
    ) throws(ServingError) -> RoundImage {
        try wrapping { () throws(OptimizerError) in
            let form = try catalogue.stateForm(
                definition: head.settings, parameters: head.parameters, averages: head.optimizer.averages)
            for tensor in form.tensors { try check(tensors[tensor.name], tensor) }
            try form.check(head.optimizer.parameterScalars)
            let round = try FileRound(head.round, from: tensors, in: form.layout)
            let known = round.names.union(form.tensors.map(\.name))
            guard let unknown = tensors.keys.filter({ !known.contains($0) }).min() else { return round.image }
            throw complaint(unknown, "the model of the file has no tensor `\(unknown)`; leave it out")
        }
    }

    private static func check(_ found: FileTensor?, _ wanted: StateForm.Tensor) throws(OptimizerError) {
        guard let found else { throw complaint(wanted.name, "the file has no tensor `\(wanted.name)`") }
        guard found.shape == wanted.shape.dimensions, found.values.values.count == wanted.shape.elementCount else {
            throw complaint(wanted.name, "`\(wanted.name)` has shape \(wanted.shape.dimensions), not \(found.shape)")
        }
        try wanted.check(found.values.values)
    }

    /// The values of a slot or an average are stored parameter after parameter, without those that lack the slot.
    private static func fill(
        _ buffer: FloatBuffer, _ what: String, _ parameters: [ParameterDefinition], _ tensors: [Name: FileTensor],
        _ name: (Name) -> Name
    ) throws(ServingError) {
        var offset = 0
        for parameter in parameters {
            guard let floats = tensors[name(parameter.name)]?.values else { continue }
            guard floats.values.count <= buffer.count - offset else { break }
            _ = buffer[offset..<offset + floats.values.count].update(fromContentsOf: floats.values)
            offset += floats.values.count
        }
        guard offset == buffer.count else {
            throw ServingError(complaint("", "the values of \(what) in the file do not match its shape"))
        }
    }

    private static func complaint(_ name: Name, _ detail: String) -> OptimizerError {
        let pointer = name.text.isEmpty ? "" : "/\(name.pointerEscaped)"
        return .invalid(Complaint(pointer: pointer, exception: .valueError, detail: detail))
    }
}
