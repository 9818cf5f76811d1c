// The rule for integers: whole, in the range of their type, and exact in float32, which stores them. ElementStream
// checks each element of a file or of base64, TensorReader each JSON number.

import Names

extension ElementType {
    /// The range of the type, in words.
    fileprivate var range: String { self == .bool ? row.words : "whole numbers from \(row.words)" }
}

/// A number that breaks the rule for its tensor.
struct StrayNumber: Equatable {
    /// What is wrong with a number.
    enum Fault: Equatable {
        /// Its nearest float32 is infinite.
        case beyondFloat32
        /// An integer that float32 would round.
        case rounded
        /// Not an integer of this type.
        case outside(ElementType)
    }

    /// The number, as text.
    let value: String
    /// Its index among the tensor's values.
    let index: Int
    /// What is wrong with it.
    let fault: Fault

    /// The kind of issue.
    var kind: TensorIssue.Kind { fault == .beyondFloat32 ? .beyondFloat32 : .inexact }

    /// The expected value, in short.
    var expected: String? { if case .outside(let type) = fault { type.rawValue } else { nil } }

    /// What is wrong with the number, and what to send.
    ///
    /// - Parameter place: the indices of the number; empty for a scalar.
    func detail(in name: Name, at place: [Int]) -> String {
        let at = place.isEmpty ? "" : " at \(Dimensions.text(place))"
        let found = "`\(name)` contains \(value)\(at), which"
        switch fault {
        case .beyondFloat32: return "\(found) is too large for float32; send numbers up to 3.4e38"
        case .outside(let type): return "\(found) does not fit \(type.rawValue); send \(type.range)"
        case .rounded:
            return
                "\(found) would be rounded: values are stored as float32, which is exact for integers up to 16777216; send the nearest float32"
        }
    }

    /// As above, from the index in a tensor of `shape`.
    func detail(in name: Name, shape: [Int]?) -> String {
        detail(in: name, at: shape.map { Dimensions.place(of: index, in: $0) } ?? [index])
    }
}

/// The integer types that a tensor's numbers must fit: the type that the body states, and the parameter's.
struct IntegerRule {
    private let types: [(type: ElementType, range: Range<Float>)]

    /// The rule for floats.
    static let none = IntegerRule()

    /// - Parameter types: every number must fit all of them; types that are not integers are ignored.
    init(_ types: ElementType?...) {
        self.types = types.compactMap { type in
            type.flatMap { type in type.row.integers.map { (type, $0) } }
        }
    }

    /// Whether any number is allowed.
    var isEmpty: Bool { types.isEmpty }

    /// The number at `index`, if it breaks the rule.
    ///
    /// - Parameters:
    ///   - value: the number as float32.
    ///   - isExact: whether the float32 equals the number as sent.
    ///   - isWhole: whether the number as sent has no fraction.
    ///   - text: the number as sent.
    func stray(
        _ value: Float, isExact: Bool, isWhole: Bool, at index: Int, _ text: @autoclosure () -> String
    ) -> StrayNumber? {
        for (type, range) in types {
            guard !isWhole || !range.contains(value) else { continue }
            // A number that leaves the range only by rounding is reported as such.
            let isRounded = isWhole && !isExact && range.contains(value.towardZero)
            return StrayNumber(value: text(), index: index, fault: isRounded ? .rounded : .outside(type))
        }
        return isExact || isEmpty ? nil : StrayNumber(value: text(), index: index, fault: .rounded)
    }

    /// The first value that breaks the rule.
    func stray(among values: UnsafeBufferPointer<Float>) -> StrayNumber? {
        for (index, value) in values.enumerated() {
            let isWhole = value == value.rounded(.towardZero)
            let found = stray(value, isExact: true, isWhole: isWhole, at: index, value.plainText)
            if let found { return found }
        }
        return nil
    }
}

extension BinaryFloatingPoint where Self: LosslessStringConvertible {
    /// The number without the `.0` of a whole one.
    var plainText: String {
        let text = String(self)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}

extension Float {
    /// The next number toward 0.
    fileprivate var towardZero: Float { self < 0 ? nextUp : nextDown }
}
