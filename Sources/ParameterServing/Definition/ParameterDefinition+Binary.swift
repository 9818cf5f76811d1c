// A parameter on disk, in definitions and images: its name, its shape and its kind. Daemons from before integers would
// read any kind other than 0 as "trained"; format 2 of both prevents them from reading it.

import Optimizers

extension WireType {
    /// The kind's number for each type; never reassigned.
    private static let codes: [(type: WireType, code: UInt8)] = [
        (.int8, 2), (.int16, 3), (.int32, 4), (.int64, 5), (.uint8, 6), (.boolean, 7),
    ]

    fileprivate var code: UInt8? { Self.codes.first { $0.type == self }?.code }

    fileprivate init?(code: UInt8) {
        guard let type = Self.codes.first(where: { $0.code == code })?.type else { return nil }
        self = type
    }
}

extension ByteWriter {
    mutating func write(_ parameter: ParameterDefinition) {
        write(parameter.name)
        write(parameter.shape.dimensions) { $0.write($1) }
        write(parameter.wireType?.code ?? (parameter.isTrainable ? 1 : 0))
    }
}

extension ByteReader {
    /// Reads the output of `write(_: ParameterDefinition)`.
    mutating func readParameter() throws(FormatError) -> ParameterDefinition {
        let name = try readName()
        let dimensions = try readArray { reader throws(FormatError) in try reader.readInt() }
        guard let shape = Shape(dimensions) else { throw FormatError(expected: "a shape", offset: offset) }
        let kind = try readByte()
        if kind < 2 { return ParameterDefinition(name: name, shape: shape, isTrainable: kind == 1) }
        guard let type = WireType(code: kind) else {
            throw FormatError(expected: "what kind of parameter it is", offset: offset - 1)
        }
        return ParameterDefinition(name: name, shape: shape, isTrainable: false, wireType: type)
    }
}
