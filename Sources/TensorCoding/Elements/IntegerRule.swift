// What numbers have to be where integers are meant: whole, within their types and exact in float32, which stores them.
// ElementStream asks for each element of a file or of base64, TensorReader for each number of JSON.

import Names

extension ElementType {
    /// The integers of the type, in the words of an advice.
    fileprivate var range: String { self == .bool ? row.words : "whole numbers from \(row.words)" }
}

/// A number that is not allowed in its place.
struct StrayNumber: Equatable {
    /// What is wrong with a number.
    enum Fault: Equatable {
        /// Its nearest float32 is infinite.
        case beyondFloat32
        /// It is an integer that float32 would round.
        case rounded
        /// It is not an integer of this type.
        case outside(ElementType)
    }

    /// The number, as text.
    let value: String
    /// Its place among the tensor's values.
    let index: Int
    /// What is wrong with it.
    let fault: Fault

    /// The kind of mistake that it is.
    var kind: TensorIssue.Kind { fault == .beyondFloat32 ? .beyondFloat32 : .inexact }

    /// What would have been right, in short.
    var expected: String? { if case .outside(let type) = fault { type.rawValue } else { nil } }

    /// What is wrong with it, and what to send.
    ///
    /// - Parameter place: its indices; empty for the value of a scalar.
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

    /// As above, for a number of which only the index in a tensor of `shape` is known.
    func detail(in name: Name, shape: [Int]?) -> String {
        detail(in: name, at: shape.map { Dimensions.place(of: index, in: $0) } ?? [index])
    }
}

/// The types that a tensor's numbers have to belong to: the one that the body states, and that of the parameter.
struct IntegerRule {
    private let types: [(type: ElementType, range: Range<Float>)]

    /// - Parameter types: all of them have to hold each number; those that are not of integers ask for nothing.
    init(_ types: ElementType?...) {
        self.types = types.compactMap { type in
            type.flatMap { type in type.row.integers.map { (type, $0) } }
        }
    }

    /// Whether any number will do.
    var isEmpty: Bool { types.isEmpty }

    /// The number at `index`, if it breaks the rule.
    ///
    /// - Parameters:
    ///   - value: the number as float32.
    ///   - isExact: whether it is the number that was sent.
    ///   - isWhole: whether the number that was sent has no fraction.
    ///   - text: the number that was sent.
    func stray(
        _ value: Float, isExact: Bool, isWhole: Bool, at index: Int, _ text: @autoclosure () -> String
    ) -> StrayNumber? {
        for (type, range) in types {
            guard !isWhole || !range.contains(value) else { continue }
            // A number that only rounding has moved out of the range is told so.
            let isRounded = isWhole && !isExact && range.contains(value.towardZero)
            return StrayNumber(value: text(), index: index, fault: isRounded ? .rounded : .outside(type))
        }
        return isExact || isEmpty ? nil : StrayNumber(value: text(), index: index, fault: .rounded)
    }

    /// The first of these values that breaks the rule.
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
    /// The next number in the direction of 0.
    fileprivate var towardZero: Float { self < 0 ? nextUp : nextDown }
}
