// A model from an uploaded file: the head of an image, and the values by name. Every tensor that the head speaks of has
// to be there with its shape, and no other.

import Names
import Optimizers

extension ModelSource {
    /// A tensor of a file: its shape and its values.
    public typealias FileTensor = (shape: [Int], values: Floats)

    /// Reads the head of an image and takes its values from `tensors`: parameters by name, slots as `PARAMETER#SLOT`.
    ///
    /// - Throws: `invalid` for a head that cannot be read, for tensors that are missing, unknown or of another shape, and
    ///   for numbers that no state has.
    public init(image: [UInt8], tensors: [Name: FileTensor], catalogue: Catalogue) throws(ServingError) {
        let bytes = tensors.values.reduce(0) { $0 + $1.values.values.count * MemoryLayout<Float>.stride }
        let head = try Self.head(image, floatBytes: bytes)
        try Self.check(tensors, head, catalogue)
        let state = head.optimizer
        guard state.parameterScalars.values.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
            throw Self.complaint("", "the file's scalars are not all finite")
        }
        for slot in state.slots { try Self.fill(slot, head.parameters, tensors) }
        for definition in head.parameters { try Self.checkIntegers(definition, tensors) }
        let parameters = head.parameters.compactMap { definition in
            tensors[definition.name].map { InitialParameter(definition: definition, value: .values($0.values)) }
        }
        self = .state(ModelDefinition(settings: head.settings, parameters: parameters), state)
    }

    private static func checkIntegers(
        _ definition: ParameterDefinition, _ tensors: [Name: FileTensor]
    ) throws(ServingError) {
        guard let type = definition.wireType, let values = tensors[definition.name]?.values.values,
            let index = values.firstIndex(where: { !type.holds($0) })
        else { return }
        let name = definition.name
        throw complaint(
            name,
            "`\(name)` holds \(values[index]), its value \(index), which \(type.rawValue) does not hold; download the file again"
        )
    }

    private static func head(_ bytes: [UInt8], floatBytes: Int) throws(ServingError) -> ImageHead {
        let head = bytes.withUnsafeBytes { bytes -> ImageHead? in
            var reader = ByteReader(bytes)
            do throws(FormatError) { return try ImageHead(reading: &reader, floatBytes: floatBytes) } catch {
                return nil
            }
        }
        guard let head else {
            throw complaint("", "the file's metadata cannot be read; it may come from another release")
        }
        return head
    }

    /// Holds the file's tensors against those that the head's definition makes.
    private static func check(
        _ tensors: [Name: FileTensor], _ head: ImageHead, _ catalogue: Catalogue
    ) throws(ServingError) {
        let wanted: [(name: Name, shape: Shape)]
        do throws(OptimizerError) {
            wanted = try catalogue.stateTensors(definition: head.settings, parameters: head.parameters)
        } catch {
            throw ServingError(error)
        }
        for (name, shape) in wanted {
            guard let found = tensors[name] else { throw complaint(name, "the file has no tensor `\(name)`") }
            guard found.shape == shape.dimensions, found.values.values.count == shape.elementCount else {
                throw complaint(name, "`\(name)` has shape \(shape.dimensions), not \(found.shape)")
            }
        }
        guard tensors.count > wanted.count else { return }
        let known = Set(wanted.map(\.name))
        let stranger: Name = tensors.keys.filter { !known.contains($0) }.min() ?? ""
        throw complaint(stranger, "the model of the file has no tensor `\(stranger)`; leave it out")
    }

    /// A slot's values lie parameter after parameter, those without the slot left out.
    private static func fill(
        _ slot: OptimizerState.SlotMemory, _ parameters: [ParameterDefinition], _ tensors: [Name: FileTensor]
    ) throws(ServingError) {
        var offset = 0
        for parameter in parameters {
            guard let floats = tensors[Name("\(parameter.name)#\(slot.name)")]?.values else { continue }
            guard floats.values.count <= slot.buffer.count - offset else { break }
            _ = slot.buffer[offset..<offset + floats.values.count].update(fromContentsOf: floats.values)
            offset += floats.values.count
        }
        guard offset == slot.buffer.count else {
            throw complaint("", "the file's values of slot `\(slot.name)` do not fill it")
        }
    }

    private static func complaint(_ name: Name, _ detail: String) -> ServingError {
        let pointer = name.text.isEmpty ? "" : "/\(name.pointerEscaped)"
        return .invalid([Complaint(pointer: pointer, exception: .valueError, detail: detail)])
    }
}
