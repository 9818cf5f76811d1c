// The binary form of a definition, as it lies in the journal: a head, then the literal values one after the other, as
// they lie in memory. A reader must understand every format number that was ever written; a new one gets a new number
// here and a branch in `init(reading:)`.

import Journal
import Optimizers

extension ModelDefinition {
    private static let formatVersion: UInt8 = 1

    /// The head, and the values that follow it.
    func encoded(into head: inout ByteWriter) -> [Floats] {
        var values: [Floats] = []
        head.write(Self.formatVersion)
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

    /// Reads what `encoded(into:)` wrote, values included.
    init(reading reader: inout ByteReader) throws(FormatError) {
        guard try reader.readByte() == Self.formatVersion else {
            throw FormatError(expected: "a definition of format \(Self.formatVersion)", offset: reader.offset - 1)
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

    /// Equal for definitions that are written alike.
    var writtenFingerprint: Fingerprint {
        var head = ByteWriter()
        let values = encoded(into: &head)
        let builder = Fingerprint.Builder()
        head.bytes.withUnsafeBytes { builder.add($0) }
        for source in values { builder.add(UnsafeRawBufferPointer(source.values)) }
        return builder.fingerprint
    }
}

extension InitialParameter {
    /// Reads the head of a parameter; literal values get a buffer that is still to be filled.
    fileprivate init(reading reader: inout ByteReader) throws(FormatError) {
        definition = try reader.readParameter()
        switch try reader.readByte() {
        case 0: value = .initializer(try reader.readSetting())
        case 1:
            try reader.checkFloats(definition.shape.elementCount)
            value = .values(Floats(FloatBuffer(count: definition.shape.elementCount)))
        default: throw FormatError(expected: "the kind of the first values", offset: reader.offset - 1)
        }
    }
}
