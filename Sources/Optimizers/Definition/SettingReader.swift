// Reads the members of one object of a definition with MindSpore's checks: type (TypeError), range (ValueError), no
// unknown members. Rules, schedules and loss scaling use it.

import Names
import Threading

/// The range of a number, and its description.
public struct Bounds: Sendable {
    let words: String
    let holds: @Sendable (Double) -> Bool

    /// Any finite number.
    public static let any = Bounds(words: "a number") { _ in true }
    /// Greater than 0.
    public static let positive = Bounds(words: "a number > 0") { $0 > 0 }
    /// 0 or greater.
    public static let nonNegative = Bounds(words: "a number >= 0") { $0 >= 0 }
    /// 0 or less.
    public static let nonPositive = Bounds(words: "a number <= 0") { $0 <= 0 }
    /// Strictly between 0 and 1.
    public static let insideUnit = Bounds(words: "a number between 0 and 1, both excluded") { $0 > 0 && $0 < 1 }
    /// From 0 to 1, both included.
    public static let unit = Bounds(words: "a number from 0 to 1") { $0 >= 0 && $0 <= 1 }
    /// From 0 up to but not including 1.
    public static let belowOne = Bounds(words: "a number from 0 to below 1") { $0 >= 0 && $0 < 1 }
    /// 1 or greater.
    public static let atLeastOne = Bounds(words: "a number >= 1") { $0 >= 1 }
    /// Strictly greater than 1.
    public static let aboveOne = Bounds(words: "a number > 1") { $0 > 1 }
}

/// Reads the members of one object of a definition; `finish()` refuses members that were not read.
///
/// The record of reads is behind a lock, so that threads can share a plan and its readers.
public final class SettingReader: Sendable {
    /// The JSON pointer of the object.
    public let pointer: String
    /// The name of the object for messages ("Adam", "CosineDecayLR").
    public let owner: String
    let entries: [SettingValue.Entry]

    private let parent: SettingReader?
    /// The members requested and the values read, including defaults: two objects with equal records have the same
    /// meaning.
    private struct Notes {
        var asked: [Name]
        var readings: [Name: SettingValue] = [:]
    }

    private let notes: Locked<Notes>
    private var asked: [Name] { notes.withLock { $0.asked } }
    /// Members that are read, and compared, elsewhere.
    private let known: [Name]

    /// Makes a reader of `setting`, which must be an object, at `pointer`.
    ///
    /// `known` names are read elsewhere; members that the object lacks are looked up in `parent` (a torch group
    /// overrides its optimizer).
    public init(
        _ setting: SettingValue, pointer: String, owner: String, known: [Name] = [], parent: SettingReader? = nil
    ) {
        entries = setting.entries
        self.pointer = pointer
        self.owner = owner
        self.parent = parent
        self.known = known
        notes = Locked(Notes(asked: known))
    }

    /// The member's value as written; nil if absent.
    ///
    /// null counts as a value.
    public func raw(_ key: Name) -> SettingValue? {
        notes.withLock { if !$0.asked.contains(key) { $0.asked.append(key) } }
        // The parent is always asked too, so that an argument that every group overrides counts as known.
        let inherited = parent?.raw(key)
        return entries.first { $0.key == key }?.value ?? inherited
    }

    /// The last requested member if it was absent: the required one that stopped the reading.
    var missing: Name? { asked.last.flatMap { has($0) ? nil : $0 } }

    /// Whether the object, or its parent, has the member.
    public func has(_ key: Name) -> Bool { holds(key) || (parent?.has(key) ?? false) }

    /// Whether an optimizer that has read its arguments asked for the member.
    func knows(_ key: Name) -> Bool { asked.contains(key) && !known.contains(key) }

    /// This reader with other members in place of its own, or in addition to them.
    ///
    /// - Parameters:
    ///   - more: the members.
    ///   - pointer: where they are; nil for where this reader's are.
    ///   - parent: the reader of members that the object lacks.
    func replacing(
        _ more: [SettingValue.Entry], at pointer: String?, over parent: SettingReader? = nil
    ) -> SettingReader {
        let setting = more.reduce(SettingValue.object(entries)) { $0.setting($1.key, to: $1.value) }
        return SettingReader(
            setting, pointer: pointer ?? self.pointer, owner: owner, known: known, parent: parent)
    }

    /// Whether the object itself has the member.
    func holds(_ key: Name) -> Bool { entries.contains { $0.key == key } }

    /// Whether the object is the optimizer's own, not a group that overrides it.
    var isOutermost: Bool { parent == nil }

    /// The pointer to a member, present or not.
    func place(of key: Name) -> String {
        if let parent, !holds(key), parent.has(key) { return parent.place(of: key) }
        return "\(pointer)/\(key.pointerEscaped)"
    }

    /// A number in `bounds`; `fallback` if absent.
    ///
    /// Integers are accepted.
    ///
    /// - Throws: TypeError if it is not a number, or absent without a fallback; ValueError out of bounds.
    public func number(
        _ key: Name, default fallback: Double? = nil, _ bounds: Bounds = .any
    ) throws(OptimizerError) -> Double {
        guard let setting = raw(key) else {
            if let fallback { return note(key, fallback) { .number($0 + 0) } }
            throw complaint(
                key, .typeError, "\(owner) needs `\(key)`, \(bounds.words).", bounds.words, "nothing")
        }
        return note(key, try Self.number(setting, bounds, at: place(of: key), of: "`\(key)`")) { .number($0 + 0) }
    }

    /// The checked number in `setting`.
    static func number(
        _ setting: SettingValue, _ bounds: Bounds, at pointer: String, of name: String
    ) throws(OptimizerError) -> Double {
        guard let value = setting.numberValue else {
            throw .wrongKind(pointer, name, bounds.words, setting)
        }
        guard Float(value).isFinite else {
            throw .invalid(
                pointer, .valueError,
                "\(name) is too large for float32; use a number up to 3.4e38; got \(setting.line ?? "\(value)").",
                expected: "a float32", got: setting.line)
        }
        guard bounds.holds(value) else {
            throw .invalid(
                pointer, .valueError, "\(name) must be \(bounds.words); got \(setting.line ?? "\(value)").",
                expected: bounds.words, got: setting.line)
        }
        return value
    }

    /// An integer of at least `least`; `fallback` if absent.
    ///
    /// - Throws: TypeError for a fraction, a boolean or absence, ValueError below `least`.
    public func integer(_ key: Name, default fallback: Int? = nil, atLeast least: Int) throws(OptimizerError) -> Int {
        let words = "an integer >= \(least)"
        guard let setting = raw(key) else {
            if let fallback { return note(key, fallback) { .integer($0) } }
            throw complaint(key, .typeError, "\(owner) needs `\(key)`, \(words).", words, "nothing")
        }
        guard case .integer(let value) = setting else {
            throw complaint(key, .typeError, "`\(key)` must be \(words); got \(setting.kind).", words, setting.kind)
        }
        guard value >= least else {
            throw complaint(key, .valueError, "`\(key)` must be \(words); got \(value).", words, setting.kind)
        }
        return note(key, value) { .integer($0) }
    }

    /// Like `integer`, for arguments that MindSpore lacks: accepts a whole number in any notation.
    public func wholeNumber(
        _ key: Name, default fallback: Int? = nil, atLeast least: Int
    ) throws(OptimizerError) -> Int {
        if case .number(let value)? = raw(key), let whole = Int(exactly: value), whole >= least { return whole }
        return try integer(key, default: fallback, atLeast: least)
    }

    /// As above; nil if absent.
    public func wholeNumber(ifPresent key: Name, atLeast least: Int) throws(OptimizerError) -> Int? {
        raw(key) == nil ? nil : try wholeNumber(key, atLeast: least)
    }

    /// true or false; `fallback` if absent.
    ///
    /// - Throws: TypeError for anything else, including 0 and 1.
    public func boolean(_ key: Name, default fallback: Bool) throws(OptimizerError) -> Bool {
        guard let setting = raw(key) else { return note(key, fallback) { .boolean($0) } }
        guard case .boolean(let value) = setting else {
            throw complaint(
                key, .typeError, "`\(key)` must be true or false; got \(setting.kind).", "true or false", setting.kind)
        }
        return note(key, value) { .boolean($0) }
    }

    /// Reads a switch that does not change the numbers: definitions with and without it are the same.
    ///
    /// - Throws: TypeError for anything but true, false, and, if allowed, null.
    func ignore(_ key: Name, orNull allowsNull: Bool = false) throws(OptimizerError) {
        if !allowsNull || raw(key) != .null { _ = try boolean(key, default: false) }
        _ = note(key, false) { .boolean($0) }
    }

    /// Two numbers; `fallback` if absent.
    ///
    /// - Throws: TypeError if it is not an array of numbers, ValueError if it does not have exactly two.
    public func pair(_ key: Name, default fallback: (Double, Double)) throws(OptimizerError) -> (Double, Double) {
        guard let setting = raw(key) else { return note(key, fallback) { .numbers([$0.0 + 0, $0.1 + 0]) } }
        let words = "an array of two numbers"
        guard let elements = setting.elements else {
            throw complaint(key, .typeError, "`\(key)` must be \(words); got \(setting.kind).", words, setting.kind)
        }
        guard elements.count == 2 else {
            throw complaint(key, .valueError, "`\(key)` must be \(words); got \(setting.kind).", words, setting.kind)
        }
        let pair = (
            try Self.number(elements[0], .any, at: "\(place(of: key))/0", of: "`\(key)[0]`"),
            try Self.number(elements[1], .any, at: "\(place(of: key))/1", of: "`\(key)[1]`")
        )
        return note(key, pair) { .numbers([$0.0 + 0, $0.1 + 0]) }
    }

    /// An array of numbers.
    ///
    /// - Throws: TypeError for anything else, or if it is absent.
    public func numbers(_ key: Name) throws(OptimizerError) -> [Double] {
        switch raw(key) {
        case .numbers(let values)?: return values
        case .array(let elements)? where elements.isEmpty: return []
        case let setting:
            let kind = setting?.kind ?? "nothing"
            let words = "an array of numbers"
            throw complaint(key, .typeError, "`\(key)` must be \(words); got \(kind).", words, kind)
        }
    }

    /// Records the value read for the member `key`.
    func note<Value>(_ key: Name, _ value: Value, as setting: (Value) -> SettingValue) -> Value {
        let reading = setting(value)
        notes.withLock { $0.readings[key] = reading }
        return value
    }

    /// The values by name: as read, or as written if a rule reads them itself.
    var canonical: SettingValue {
        let (asked, readings) = notes.withLock { ($0.asked, $0.readings) }
        var members = readings.filter { !known.contains($0.key) }
        for key in asked where members[key] == nil && !known.contains(key) {
            if let entry = entries.first(where: { $0.key == key }) {
                members[key] = entry.value.canonical
            }
        }
        return .object(members.sorted { $0.key < $1.key }.map { SettingValue.Entry(key: $0.key, value: $0.value) })
    }

    /// Refuses members that were not read, and suggests the nearest known name.
    ///
    /// - Parameters:
    ///   - exception: the exception of an unknown name.
    ///   - siblings: names that someone else reads from the same object, where those that identify the owner cannot be
    ///     set; nil for an object of its own.
    public func finish(
        _ exception: ExceptionClass = .typeError, beside siblings: [Name]? = nil
    ) throws(OptimizerError) {
        guard let unread = entries.first(where: { !asked.contains($0.key) }) else { return }
        if let misplaced = MisplacedMember.complaint(unread, in: pointer, exception) { throw misplaced }
        let names = siblings.map { asked.filter(knows) + $0 } ?? asked
        throw .invalid(
            "\(pointer)/\(unread.key.pointerEscaped)", exception,
            "\(owner) has no `\(unread.key)`; \(NearestNames.hint(unread.key, among: names))\(correction(of: unread, names))",
            expected: names.sorted().map(\.text).joined(separator: ", "), got: unread.key.text)
    }

    /// " Write `"learning_rate":0.1`.": the member under its name here, with the value that was sent.
    private func correction(of entry: SettingValue.Entry, _ known: [Name]) -> String {
        let names = NearestNames.of(entry.key, among: known)
        var line = names.first.flatMap { SettingValue.member($0, entry.value) }
        if let values = entry.value.elements, values.count > 1, values.count == names.count {
            let members = zip(names, values).compactMap { SettingValue.member($0, $1) }
            line = members.count == names.count ? members.joined(separator: ",") : nil
        } else if names == ["betas"] {
            // Two numbers of MindSpore are one pair in torch.
            let pair = [("beta1" as Name, 0.9), ("beta2", 0.999)].map { self[$0.0]?.numberValue ?? $0.1 }
            line = SettingValue.member("betas", .numbers(pair))
        }
        return line.map { " Write `\($0)`." } ?? ""
    }

    private subscript(key: Name) -> SettingValue? { entries.first { $0.key == key }?.value }

    /// An error about the member `key`.
    public func complaint(
        _ key: Name, _ exception: ExceptionClass, _ detail: String, _ expected: String? = nil, _ got: String? = nil
    ) -> OptimizerError {
        .invalid(place(of: key), exception, detail, expected: expected, got: got)
    }
}
