// Reads learning rates and weight decays from a definition, with MindSpore's exceptions.

import Names

extension LearningRate {
    /// Reads a number, an array or a schedule object.
    ///
    /// - Throws: TypeError for null, booleans and nested arrays; ValueError for a negative number, a string or an array
    ///   that contains one; and the errors of the schedule.
    public init(
        _ setting: SettingValue, pointer: String, catalogue: Catalogue = .builtin
    ) throws(OptimizerError) {
        let words = "a number >= 0, an array of numbers or a schedule object"
        switch setting {
        case .integer, .number:
            self = .constant(Float(try SettingReader.number(setting, .nonNegative, at: pointer, of: "a learning rate")))
        case .numbers(let values):
            self = .table(try Self.entries(values, pointer: pointer))
        case .array(let elements):
            guard elements.isEmpty else { throw Self.complaint(about: elements, pointer: pointer) }
            self = .table([])
        case .object:
            self = try Self.object(setting, pointer: pointer, catalogue: catalogue)
        case .null, .boolean, .string:
            let exception: ExceptionClass = setting.stringValue == nil ? .typeError : .valueError
            throw .invalid(
                pointer, exception, "A learning rate must be \(words); got \(setting.kind).", expected: words,
                got: setting.kind)
        }
    }

    /// The entries of an array, each of which must fit in float32; any sign is allowed, as in MindSpore.
    static func entries(_ values: [Double], pointer: String) throws(OptimizerError) -> [Float] {
        let rounded = values.map { Float($0) }
        if let place = rounded.firstIndex(where: { !$0.isFinite }) {
            throw .invalid(
                "\(pointer)/\(place)", .valueError,
                "Entry \(place) of the learning rate is too large for float32; use numbers up to 3.4e38.",
                expected: "a float32", got: "\(values[place])")
        }
        return rounded
    }

    /// The error for an array with other values: strings and ragged rows are ValueErrors in MindSpore.
    private static func complaint(about elements: [SettingValue], pointer: String) -> OptimizerError {
        let place = elements.firstIndex { $0.numberValue == nil } ?? 0
        let lengths = Set(elements.compactMap { $0.elements?.count })
        let isValueError = elements.contains { $0.stringValue != nil } || lengths.count > 1
        return .invalid(
            "\(pointer)/\(place)", isValueError ? .valueError : .typeError,
            "A learning rate array must contain only numbers; entry \(place) is \(elements[place].kind).",
            expected: "a number", got: elements[place].kind)
    }

    private static func object(
        _ setting: SettingValue, pointer: String, catalogue: Catalogue
    ) throws(OptimizerError) -> LearningRate {
        if setting["append"] != nil {
            throw .invalid(
                pointer, .valueError, "`append` extends the array of an existing model: send it with PATCH.",
                expected: "an array or a schedule", got: "append")
        }
        guard let schedule = setting["schedule"] else {
            throw .invalid(
                pointer, .typeError, "A learning rate object needs `schedule`; \(catalogue.scheduleHint(""))",
                expected: "schedule", got: "an object without it")
        }
        guard let name = schedule.stringValue else {
            throw .wrongKind("\(pointer)/schedule", "`schedule`", "a name", schedule)
        }
        if name.folded == "sequence" {
            return try sequence(setting, pointer: pointer, catalogue: catalogue)
        }
        return .schedule(try catalogue.makeSchedule(setting, name: name, pointer: pointer))
    }

    private static func sequence(
        _ setting: SettingValue, pointer: String, catalogue: Catalogue
    ) throws(OptimizerError) -> LearningRate {
        let settings = SettingReader(setting, pointer: pointer, owner: "sequence", known: ["schedule"])
        let words = "an array of pieces like {\"steps\":100,\"lr\":0.1}"
        guard let elements = settings.raw("of")?.elements else {
            throw settings.complaint("of", .typeError, "A sequence needs `of`, \(words).", words, "nothing")
        }
        try settings.finish()
        guard !elements.isEmpty else {
            throw settings.complaint("of", .valueError, "A sequence needs at least one piece.", words, "none")
        }
        var pieces: [Piece] = []
        var total = 0
        for (place, element) in elements.enumerated() {
            let isLast = place == elements.count - 1
            let piece = try piece(element, pointer: "\(pointer)/of/\(place)", isLast: isLast, catalogue: catalogue)
            let (sum, overflow) = total.addingReportingOverflow(piece.steps ?? 0)
            guard !overflow else {
                throw settings.complaint("of", .valueError, "The steps of a sequence must add up to less than 2^63.")
            }
            total = sum
            pieces.append(piece)
        }
        return .sequence(Pieces(pieces))
    }

    /// `{"steps": n, "lr": rate}` or `{"steps": n, "schedule": ..., arguments}`; the last piece may omit `steps`.
    private static func piece(
        _ setting: SettingValue, pointer: String, isLast: Bool, catalogue: Catalogue
    ) throws(OptimizerError) -> Piece {
        guard case .object = setting else {
            throw .invalid(
                pointer, .typeError, "A piece of a sequence must be an object; got \(setting.kind).",
                expected: "an object", got: setting.kind)
        }
        let settings = SettingReader(setting, pointer: pointer, owner: "a piece of a sequence")
        let steps: Int?
        if isLast && !settings.has("steps") {
            steps = nil
        } else {
            steps = try settings.wholeNumber("steps", atLeast: 1)
        }
        if settings.has("schedule") {
            let rest = setting.setting("steps", to: nil)
            return Piece(steps: steps, rate: try LearningRate(rest, pointer: pointer, catalogue: catalogue))
        }
        let key: Name = settings.has("learning_rate") ? "learning_rate" : "lr"
        guard let rate = settings.raw(key) else {
            throw settings.complaint("lr", .typeError, "A piece of a sequence needs `lr` or `schedule`.")
        }
        try settings.finish()
        return Piece(steps: steps, rate: try LearningRate(rate, pointer: "\(pointer)/\(key)", catalogue: catalogue))
    }
}
