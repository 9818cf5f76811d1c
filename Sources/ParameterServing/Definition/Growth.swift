// What a running model gets in addition: parameters at the end of the update order, and rows at the end of parameters.
// A growth names parameters and never their places, so that its record is read without the model.

import Names
import Optimizers

/// Parameters and rows to add to a model, all of them or none.
public struct Growth: Sendable {
    /// Rows to add to a parameter.
    public struct Rows: Sendable {
        /// The parameter's name.
        public var parameter: Name
        /// The number of rows.
        public var count: Int
        /// The initializer of their values.
        public var initial: SettingValue

        /// Combines a parameter's name with the rows that it gets.
        public init(_ parameter: Name, count: Int, initial: SettingValue) {
            (self.parameter, self.count, self.initial) = (parameter, count, initial)
        }
    }

    /// The new parameters, in order.
    public var added: [InitialParameter]
    /// The group of the new parameters; nil for the default group.
    public var group: Name?
    /// The new rows, at most one entry for each parameter.
    public var rows: [Rows]

    /// Makes a growth from its parts.
    public init(added: [InitialParameter] = [], group: Name? = nil, rows: [Rows] = []) {
        (self.added, self.group, self.rows) = (added, group, rows)
    }

    /// Equal for growths with equal binary forms.
    public var fingerprint: Fingerprint {
        var head = ByteWriter()
        let values = encoded(into: &head)
        let builder = Fingerprint.Builder()
        head.bytes.withUnsafeBytes { builder.add($0) }
        for source in values { builder.add(UnsafeRawBufferPointer(source.values)) }
        return builder.fingerprint
    }

    /// Where the parameters are afterwards: the new ones after all that have a group.
    ///
    /// - Throws: `.invalid` for a name that the model has, a group or a parameter that it lacks, and rows of a scalar.
    func placement(after facts: ModelFacts) throws(OptimizerError) -> Placement {
        let old = facts.layout.placement
        var places = old.places
        for rows in self.rows {
            guard let index = old.index(of: rows.parameter) else { throw Self.unknown(rows.parameter, old) }
            places[index].definition.shape = try rows.shape(after: places[index].definition)
        }
        let end = (places.lastIndex { $0.group != nil } ?? -1) + 1
        var added: [Placement.Place] = []
        for parameter in self.added {
            let name = parameter.definition.name
            guard old.index(of: name) == nil else {
                throw .invalid(
                    "/add/\(name.pointerEscaped)", .valueError,
                    "The model already has a parameter `\(name)`; choose another name.")
            }
            added.append(Placement.Place(parameter.definition, group: try group(of: parameter.definition, facts)))
        }
        places.insert(contentsOf: added.filter { $0.group != nil }, at: end)
        return Placement(places + added.filter { $0.group == nil })
    }

    /// The group of a new parameter.
    private func group(of parameter: ParameterDefinition, _ facts: ModelFacts) throws(OptimizerError) -> Name? {
        let (layout, standard): (ArenaLayout, Name) = (facts.layout, "default")
        let hasStandard =
            layout.groupIndex(of: standard) != nil
            || parameter.isTrainable && facts.settings["default_group"] == .boolean(true)
        guard let group else {
            if hasStandard { return standard }
            guard parameter.isTrainable else { return nil }
            throw .invalid(
                "/group", .valueError,
                "The model has no group `default`, so say the group of the new parameters: `\"group\":\"\(layout.groups.last?.name ?? standard)\"`.",
                expected: layout.groups.map(\.name.text).joined(separator: ", "), got: "nothing")
        }
        guard layout.groupIndex(of: group) != nil || group == standard && hasStandard else {
            throw .invalid(
                "/group", .keyError,
                "Unknown group `\(group)`; \(NearestNames.hint(group, among: layout.groups.map(\.name)))")
        }
        return group
    }

    private static func unknown(_ name: Name, _ placement: Placement) -> OptimizerError {
        let names = placement.places.lazy.map(\.definition.name)
        return .invalid(
            "/rows/\(name.pointerEscaped)", .keyError,
            "The model has no parameter `\(name)`; \(NearestNames.hint(name, among: names))")
    }
}

extension Growth.Rows {
    /// The parameter's shape with these rows.
    fileprivate func shape(after definition: ParameterDefinition) throws(OptimizerError) -> Shape {
        let (pointer, old) = ("/rows/\(parameter.pointerEscaped)", definition.shape)
        if definition.wireType != nil, ![.zeros, .ones].contains(try initializer.kind) {
            throw .invalid(
                "\(pointer)/init", .valueError,
                "Integers can only be initialized with `zeros` or `ones`; use one of them for `\(parameter)`.")
        }
        guard let first = old.dimensions.first else {
            throw .invalid(pointer, .valueError, "`\(parameter)` is a scalar and has no rows.")
        }
        let (sum, overflow) = first.addingReportingOverflow(count)
        guard !overflow, let shape = Shape([sum] + old.dimensions.dropFirst()) else {
            throw .invalid(
                "\(pointer)/count", .valueError, "`\(parameter)` would have more elements than can be counted.")
        }
        return shape
    }
}

// MARK: Values

extension Growth {
    /// Refuses initializers that do not exist, and names that no URL can reach.
    ///
    /// - Throws: `invalid`.
    func check() throws(ServingError) {
        try ModelDefinition(settings: .object([]), parameters: added).checkNames()
        try wrapping { () throws(OptimizerError) in
            for parameter in added { _ = try parameter.initializer(in: "/add") }
            for rows in self.rows { _ = try rows.initializer }
        }
    }

    /// Fills the new parameters and rows of an arena; nothing else is written.
    ///
    /// - Parameter old: the placement before the growth.
    func fill(_ arena: Arena, after old: Placement) throws(OptimizerError) {
        let placement = arena.placement
        for parameter in added {
            guard let index = placement.index(of: parameter.definition.name) else { continue }
            let target = arena.buffer[placement.ranges[index]]
            switch parameter.value {
            case .values(let source): _ = target.update(fromContentsOf: source.values)
            case .initializer:
                try parameter.initializer(in: "/add")?.fill(
                    target, name: parameter.definition.name, shape: parameter.definition.shape)
            }
        }
        for rows in self.rows {
            guard let index = placement.index(of: rows.parameter), let was = old.index(of: rows.parameter) else {
                continue
            }
            try rows.initializer.fill(
                arena.buffer[placement.ranges[index]], name: rows.parameter,
                shape: placement.places[index].definition.shape, from: old.ranges[was].count)
        }
    }
}

extension Growth.Rows {
    fileprivate var initializer: Initializer {
        get throws(OptimizerError) {
            try Initializer(initial, pointer: "/rows/\(parameter.pointerEscaped)/init")
        }
    }
}

// MARK: Binary form

extension Growth {
    /// The head, and the values after it.
    func encoded(into head: inout ByteWriter) -> [Floats] {
        head.write(optional: group) { $0.write($1) }
        head.write(rows) { writer, rows in
            writer.write(rows.parameter)
            writer.write(rows.count)
            writer.write(rows.initial)
        }
        head.pad(to: 8)
        return ModelDefinition(settings: .object([]), parameters: added).encoded(into: &head)
    }

    /// Reads the output of `encoded(into:)`, including values.
    init(reading reader: inout ByteReader) throws(FormatError) {
        group = try reader.readOptional { reader throws(FormatError) in try reader.readName() }
        rows = try reader.readArray { reader throws(FormatError) in
            Rows(try reader.readName(), count: try reader.readInt(), initial: try reader.readSetting())
        }
        try reader.skipPadding(to: 8)
        added = try ModelDefinition(reading: &reader).parameters
    }
}

extension OptimizerError {
    fileprivate static func invalid(
        _ pointer: String, _ exception: ExceptionClass, _ detail: String, expected: String? = nil, got: String? = nil
    ) -> OptimizerError {
        .invalid(
            Complaint(pointer: pointer, exception: exception, detail: detail, expected: expected, got: got))
    }
}
