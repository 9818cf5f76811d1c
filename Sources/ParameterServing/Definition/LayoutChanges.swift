// When the layout of a model changed: refusals of gradients in an old shape say since when the shape is another one.

import Names
import Optimizers

/// The changes of a model's layout.
public struct LayoutChanges: Sendable, Equatable {
    /// The version that the last change made; 0 if there was none.
    ///
    /// Equal only for the same layout of a model.
    public private(set) var version = 0
    /// By parameter: the version since which it has its shape, for those that were added or got rows.
    public private(set) var shapes: [Name: Int] = [:]

    /// Starts without a change.
    public init() {}

    /// Makes the changes of an image.
    init(version: Int, shapes: [Name: Int]) { (self.version, self.shapes) = (version, shapes) }

    /// Notes a change from one placement to another, which makes `version`.
    mutating func note(from old: Placement, to new: Placement, version: Int) {
        self.version = version
        var shapes: [Name: Int] = [:]
        for place in new.places {
            let name = place.definition.name
            let was = old.index(of: name).map { old.places[$0].definition.shape }
            shapes[name] = was == place.definition.shape ? self.shapes[name] : version
        }
        self.shapes = shapes
    }

    /// The size of the table in memory.
    var bytes: Int { shapes.count * EntryBytes.place(Name.self, Int.self) }
}

extension ModelFacts {
    /// A parameter's shape, and since when it has it, for the refusal of another shape.
    public func shapeText(of parameter: ParameterLayout) -> String {
        let since = layoutChanges.shapes[parameter.name].map { " since version \($0)" } ?? ""
        return "`\(parameter.name)` has shape \(parameter.shape.dimensions)\(since)"
    }

    /// What to do about a gradient in a shape that a parameter had before; empty for one that never had another.
    public func shapeAdvice(for name: Name) -> String {
        layoutChanges.shapes[name] == nil ? "" : "; pull again, and push that shape"
    }
}

extension ByteWriter {
    mutating func write(_ changes: LayoutChanges) {
        write(changes.version)
        write(changes.shapes.sorted { $0.key < $1.key }) { writer, shape in
            writer.write(shape.key)
            writer.write(shape.value)
        }
    }
}

extension ByteReader {
    /// Reads the output of `write(_: LayoutChanges)`.
    mutating func readLayoutChanges() throws(FormatError) -> LayoutChanges {
        let version = try readInt()
        let shapes = try readArray { reader throws(FormatError) in (try reader.readName(), try reader.readInt()) }
        return LayoutChanges(version: version, shapes: Dictionary(shapes, uniquingKeysWith: { first, _ in first }))
    }
}
