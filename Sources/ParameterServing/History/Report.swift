// Metrics that are reported without a push, such as an accuracy that is measured between two pushes.

/// Metrics of one step.
public struct Report: Sendable, Equatable {
    /// The metrics.
    public var scalars: [Scalar]
    /// The step whose parameters they describe; nil for the current one.
    public var step: Int?
    /// When the model admitted it; nil before that.
    var sighting: Sighting?

    /// Makes a report from its parts.
    public init(_ scalars: [Scalar], step: Int?) {
        self.scalars = scalars
        self.step = step
    }

    /// Equal for reports of the same metrics.
    public var fingerprint: Fingerprint {
        let builder = Fingerprint.Builder()
        var writer = ByteWriter { builder.add($0) }
        writer.write(self)
        writer.finish()
        return builder.fingerprint
    }
}

extension ByteWriter {
    /// Writes a report without its sighting.
    mutating func write(_ report: Report) {
        write(optional: report.step) { $0.write($1) }
        write(report.scalars)
    }

    mutating func write(_ scalars: [Scalar]) {
        write(scalars) { writer, scalar in
            writer.write(scalar.name)
            writer.write(scalar.value)
        }
    }
}

extension ByteReader {
    /// Reads the output of `write(_: Report)`.
    mutating func readReport() throws(FormatError) -> Report {
        let step = try readOptional { reader throws(FormatError) in try reader.readInt() }
        return Report(try readScalars(), step: step)
    }

    mutating func readScalars() throws(FormatError) -> [Scalar] {
        try readArray { reader throws(FormatError) in
            Scalar(name: try reader.readName(), value: try reader.readDouble())
        }
    }
}
