// Whether two create requests ask for the same model: compares what was read, not the text.

import Names
import Optimizers

extension ModelDefinition {
    /// Equal for definitions with the same meaning, regardless of the order of members, the spelling of names, the form
    /// of values, and whether defaults are written out.
    ///
    /// - Throws: `.invalid` for an invalid definition.
    func fingerprint(_ catalogue: Catalogue) throws(OptimizerError) -> Fingerprint {
        let builder = Fingerprint.Builder()
        var writer = ByteWriter()
        writer.write(try catalogue.canonical(settings, parameters: parameters.map(\.definition)))
        writer.bytes.withUnsafeBytes { builder.add($0) }
        for parameter in parameters.sorted(by: { $0.definition.name < $1.definition.name }) {
            builder.add(parameter.definition.name.text)
            builder.add(parameter.definition.shape.dimensions.count)
            for extent in parameter.definition.shape.dimensions { builder.add(extent) }
            builder.add(parameter.definition.isTrainable ? 1 : 0)
            builder.add(parameter.definition.wireType?.rawValue ?? "")
            try parameter.add(to: builder)
        }
        return builder.fingerprint
    }

    /// The differences that prevent a worker with this definition from using a model with `layout`: names and shapes,
    /// not values.
    func differences(from layout: ArenaLayout) -> [Complaint] {
        var found: [Complaint] = []
        for parameter in parameters.map(\.definition) {
            let pointer = "/parameters/\(parameter.name.pointerEscaped)"
            guard let index = layout.index(of: parameter.name) else {
                found.append(
                    Complaint(
                        pointer: pointer, exception: .valueError,
                        detail: "the model has no parameter `\(parameter.name)`"))
                continue
            }
            let present = layout.parameters[index]
            if present.shape != parameter.shape {
                found.append(
                    Complaint(
                        pointer: pointer, exception: .valueError,
                        detail: "`\(parameter.name)` of the model has another shape"
                    ).comparing(
                        expected: .shape(present.shape.dimensions), got: .shape(parameter.shape.dimensions)))
            } else if present.isTrainable != parameter.isTrainable {
                found.append(
                    Complaint(
                        pointer: "\(pointer)/trainable", exception: .valueError,
                        detail: "`\(parameter.name)` of the model is \(present.isTrainable ? "" : "not ")trained",
                        expected: "\(present.isTrainable)", got: "\(parameter.isTrainable)"))
            }
        }
        let named = Set(parameters.map(\.definition.name))
        for parameter in layout.parameters where !named.contains(parameter.name) {
            found.append(
                Complaint(
                    pointer: "/parameters/\(parameter.name.pointerEscaped)", exception: .valueError,
                    detail: "the model also has `\(parameter.name)`"))
        }
        return found
    }
}

extension InitialParameter {
    /// Adds the initial values: an initializer as read, or numbers with -0 as 0.
    ///
    /// Zeros and ones are the same in every form.
    fileprivate func add(to builder: Fingerprint.Builder) throws(OptimizerError) {
        switch value {
        case .initializer(let setting):
            let initializer = try Initializer(setting, pointer: "/parameters/\(definition.name.pointerEscaped)/init")
            builder.add(initializer.kind.rawValue)
            // A constant does not depend on its seed.
            let isDrawn = ![.zeros, .ones].contains(initializer.kind)
            builder.add(isDrawn ? Int(truncatingIfNeeded: initializer.seed) : 0)
        case .values(let source):
            if let constant = source.values.constant {
                builder.add(constant.rawValue)
                return builder.add(0)
            }
            var rest = source.values[...]
            while !rest.isEmpty {
                let piece = rest.prefix(4096).map { $0 + 0 }
                piece.withUnsafeBytes { builder.add($0) }
                rest = rest.dropFirst(piece.count)
            }
        }
    }
}

extension UnsafeBufferPointer<Float> {
    /// The constant initializer with the same values.
    fileprivate var constant: Initializer.Kind? {
        switch first {
        case 0?: allSatisfy { $0 == 0 } ? .zeros : nil
        case 1?: allSatisfy { $0 == 1 } ? .ones : nil
        default: nil
        }
    }
}
