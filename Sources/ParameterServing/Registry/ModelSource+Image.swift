// A model from an uploaded file: the head of an image, and the values by name.

import Names
import Optimizers

extension ModelSource {
    /// Reads the head of an image and takes its values from `values`: parameters by name, slots as `PARAMETER#SLOT`.
    ///
    /// - Throws: `invalid` for a head that cannot be read, for values that are missing or of another size.
    public init(image: [UInt8], values: [Name: Floats]) throws(ServingError) {
        let head = try Self.head(
            image, floatBytes: values.values.reduce(0) { $0 + $1.values.count * MemoryLayout<Float>.stride })
        var parameters: [InitialParameter] = []
        for definition in head.parameters {
            guard let floats = values[definition.name], floats.values.count == definition.shape.elementCount else {
                throw Self.complaint("the file has no values of the right size for `\(definition.name)`")
            }
            parameters.append(InitialParameter(definition: definition, value: .values(floats)))
        }
        let state = head.optimizer
        for index in state.slots.indices { try Self.fill(state.slots[index], head.parameters, values) }
        self = .state(ModelDefinition(settings: head.settings, parameters: parameters), state)
    }

    private static func head(_ bytes: [UInt8], floatBytes: Int) throws(ServingError) -> ImageHead {
        let head = bytes.withUnsafeBytes { bytes -> ImageHead? in
            var reader = ByteReader(bytes)
            do throws(FormatError) { return try ImageHead(reading: &reader, floatBytes: floatBytes) } catch {
                return nil
            }
        }
        guard let head else { throw complaint("the file's metadata cannot be read; it may come from another release") }
        return head
    }

    /// A slot's values lie parameter after parameter, those without the slot left out.
    private static func fill(
        _ slot: OptimizerState.SlotMemory, _ parameters: [ParameterDefinition], _ values: [Name: Floats]
    ) throws(ServingError) {
        var offset = 0
        for parameter in parameters {
            guard let floats = values[Name("\(parameter.name)#\(slot.name)")] else { continue }
            guard floats.values.count <= slot.buffer.count - offset else { break }
            _ = slot.buffer[offset..<offset + floats.values.count].update(fromContentsOf: floats.values)
            offset += floats.values.count
        }
        guard offset == slot.buffer.count else {
            throw complaint("the file's values of slot `\(slot.name)` do not fill it")
        }
    }

    private static func complaint(_ detail: String) -> ServingError {
        .invalid([Complaint(pointer: "", exception: .valueError, detail: detail)])
    }
}
