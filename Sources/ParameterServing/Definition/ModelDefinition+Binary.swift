// The binary form of a definition, as it lies in the journal and in snapshots. A reader must understand every version
// that was ever written; a new one gets a new number here and a branch in `init(reading:)`.

import Optimizers

extension ModelDefinition {
    private static let formatVersion: UInt8 = 1

    func write(to writer: inout ByteWriter) {
        writer.write(Self.formatVersion)
        writer.write(settings)
        writer.write(parameters) { writer, parameter in
            writer.write(parameter.definition.name)
            writer.write(parameter.definition.shape.dimensions) { $0.write($1) }
            writer.write(parameter.definition.isTrainable)
            switch parameter.value {
            case .initializer(let setting):
                writer.write(UInt8(0))
                writer.write(setting)
            case .values(let values):
                writer.write(UInt8(1))
                writer.write(floats: values.values)
            }
        }
    }

    init(reading reader: inout ByteReader) throws(FormatError) {
        guard try reader.readByte() == Self.formatVersion else {
            throw FormatError(expected: "a definition of format \(Self.formatVersion)", offset: reader.offset - 1)
        }
        settings = try reader.readSetting()
        parameters = try reader.readArray { reader throws(FormatError) in try InitialParameter(reading: &reader) }
    }

    /// Equal for definitions that say the same.
    var fingerprint: Fingerprint {
        var writer = ByteWriter()
        write(to: &writer)
        let builder = Fingerprint.Builder()
        writer.bytes.withUnsafeBytes { builder.add($0) }
        return builder.fingerprint
    }
}

extension InitialParameter {
    fileprivate init(reading reader: inout ByteReader) throws(FormatError) {
        let name = try reader.readString()
        let dimensions = try reader.readArray { reader throws(FormatError) in try reader.readInt() }
        guard let shape = Shape(dimensions) else { throw FormatError(expected: "a shape", offset: reader.offset) }
        definition = ParameterDefinition(name: name, shape: shape, isTrainable: try reader.readBool())
        switch try reader.readByte() {
        case 0: value = .initializer(try reader.readSetting())
        case 1:
            let values = FloatBuffer(count: shape.elementCount)
            try reader.readFloats(into: values.base, count: values.count)
            value = .values(Floats(values))
        default: throw FormatError(expected: "the kind of the first values", offset: reader.offset - 1)
        }
    }
}
