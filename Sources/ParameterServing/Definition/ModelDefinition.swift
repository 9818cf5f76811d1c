// The content of a create request, without JSON: the optimizer's settings and the parameters with their initial values.
// Its binary form goes to the journal.

import Journal
import Names
import Optimizers

/// Everything that makes a model: settings of the optimizer, parameters, initial values.
public struct ModelDefinition: Sendable {
    /// The optimizer's part of the definition, for `Catalogue.makeOptimizer`.
    public var settings: SettingValue
    /// The parameters in the order written.
    public var parameters: [InitialParameter]

    /// Makes a definition from its parts.
    public init(settings: SettingValue, parameters: [InitialParameter]) {
        self.settings = settings
        self.parameters = parameters
    }
}

/// A parameter and its initial values.
public struct InitialParameter: Sendable {
    /// Name, shape, and whether it is trained.
    public var definition: ParameterDefinition
    /// The source of the initial values.
    public var value: InitialValue

    /// Makes a parameter from its parts.
    public init(definition: ParameterDefinition, value: InitialValue) {
        self.definition = definition
        self.value = value
    }
}

/// The initial values of a parameter.
public enum InitialValue: Sendable {
    /// These values, row-major.
    case values(Floats)
    /// An initializer with its arguments, such as `"zeros"` or `{"type":"he_uniform","seed":1}`.
    case initializer(SettingValue)
}

extension ModelDefinition {
    /// The format number before the head.
    enum Format: UInt8 {
        /// Parameters are trained or not.
        case first = 1
        /// Parameters may also be integers, which a reader of the first format would take for trained.
        case integers = 2
    }

    /// The head, and the values after it; in the first format if that suffices, so that earlier releases can read it.
    func encoded(into head: inout ByteWriter) -> [Floats] {
        let hasIntegers = parameters.contains { $0.definition.wireType != nil }
        return encoded(into: &head, as: hasIntegers ? .integers : .first)
    }

    /// As above, with a given format number: fingerprints always use the first, regardless of what is written.
    func encoded(into head: inout ByteWriter, as format: Format) -> [Floats] {
        var values: [Floats] = []
        head.write(format.rawValue)
        head.write(settings)
        head.write(parameters) { head, parameter in
            head.write(parameter.definition)
            switch parameter.value {
            case .initializer(let setting):
                head.write(UInt8(0))
                head.write(setting)
            case .values(let source):
                head.write(UInt8(1))
                values.append(source)
            }
        }
        head.pad(to: 8)
        return values
    }

    /// Reads the output of `encoded(into:)`, including values.
    init(reading reader: inout ByteReader) throws(FormatError) {
        guard Format(rawValue: try reader.readByte()) != nil else {
            throw FormatError(expected: "a definition of format 1 or 2", offset: reader.offset - 1)
        }
        settings = try reader.readSetting()
        parameters = try reader.readArray { reader throws(FormatError) in try InitialParameter(reading: &reader) }
        try reader.skipPadding(to: 8)
        for parameter in parameters {
            guard case .values(let target) = parameter.value, let buffer = target.owner as? FloatBuffer else {
                continue
            }
            try reader.readRawFloats(into: buffer.base, count: buffer.count)
        }
    }

    /// Equal for definitions with equal binary forms.
    var writtenFingerprint: Fingerprint {
        var head = ByteWriter()
        let values = encoded(into: &head, as: .first)
        let builder = Fingerprint.Builder()
        head.bytes.withUnsafeBytes { builder.add($0) }
        for source in values { builder.add(UnsafeRawBufferPointer(source.values)) }
        return builder.fingerprint
    }
}

extension InitialParameter {
    /// Reads the head of a parameter; literal values get a buffer that is filled later.
    fileprivate init(reading reader: inout ByteReader) throws(FormatError) {
        definition = try reader.readParameter()
        switch try reader.readByte() {
        case 0: value = .initializer(try reader.readSetting())
        case 1:
            try reader.checkFloats(definition.shape.elementCount)
            value = .values(Floats(try reader.makeFloats(definition.shape.elementCount)))
        default: throw FormatError(expected: "the kind of the first values", offset: reader.offset - 1)
        }
    }
}

extension ModelDefinition {
    /// Equal for definitions with the same meaning, regardless of the order of members, the spelling of names, the form
    /// of values, and whether defaults are written out.
    ///
    /// - Throws: `.invalid` for an invalid definition.
    func fingerprint(_ catalogue: Catalogue) throws(OptimizerError) -> Fingerprint {
        try fingerprint(catalogue, with: try Consistency(of: settings).canonical)
    }

    /// As earlier releases made it where the default of `min_pushes` was written out; nil if they made no other.
    func earlierFingerprint(_ catalogue: Catalogue) throws(OptimizerError) -> Fingerprint? {
        guard let consistency = try Consistency(of: settings).canonicalWithMinPushes else { return nil }
        return try fingerprint(catalogue, with: consistency)
    }

    private func fingerprint(
        _ catalogue: Catalogue, with consistency: SettingValue
    ) throws(OptimizerError) -> Fingerprint {
        let builder = Fingerprint.Builder()
        var writer = ByteWriter()
        writer.write(try catalogue.canonical(settings, parameters: parameters.map(\.definition)))
        if consistency != Consistency.standard.canonical { writer.write(consistency) }
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
