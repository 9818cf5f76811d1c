// The forms of a record that changes the layout of a model: later records of the model are read for the new layout.

import Names
import Optimizers

/// The form of a record of kind `layout`.
enum LayoutRecord: UInt8 {
    /// Parameters and rows are added.
    case growth = 0
    /// A state with another layout is restored.
    case restore = 1
    /// A patch moves parameters to other groups, or changes whether they are trained.
    case patch = 2
}

extension ByteWriter {
    mutating func write(_ placement: Placement) {
        write(placement.places) { writer, place in
            writer.write(place.definition)
            writer.write(optional: place.group) { $0.write($1) }
        }
    }
}

extension ByteReader {
    /// Reads the output of `write(_: Placement)`.
    mutating func readPlacement() throws(FormatError) -> Placement {
        let places = try readArray { reader throws(FormatError) in
            Placement.Place(
                try reader.readParameter(),
                group: try reader.readOptional { reader throws(FormatError) in try reader.readName() })
        }
        let (count, overflows) = places.reduce((0, false)) { sum, place in
            let (next, overflow) = sum.0.addingReportingOverflow(place.definition.shape.elementCount)
            return (next, sum.1 || overflow)
        }
        guard !overflows else { throw FormatError(expected: "parameters that can be counted", offset: offset) }
        try checkFloats(count)
        return Placement(places)
    }
}
