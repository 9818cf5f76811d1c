// The binary form of a definition in the journal: a head, then the literal values as they are in memory. Readers must
// support every format number that was ever written; a new format gets a new number here and a branch in
// `init(reading:)`.

import Journal
import Optimizers

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
