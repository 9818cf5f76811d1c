// Settings as Swift literals, so that a test's definition reads like the JSON of a create request.

import Names
import Optimizers

extension SettingValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
    ExpressibleByNilLiteral
{
    /// A text.
    public init(stringLiteral value: String) { self = .string(value) }

    /// An integer.
    public init(integerLiteral value: Int) { self = .integer(value) }

    /// A number with a fraction.
    public init(floatLiteral value: Double) { self = .number(value) }

    /// true or false.
    public init(booleanLiteral value: Bool) { self = .boolean(value) }

    /// Null.
    public init(nilLiteral: ()) { self = .null }

    /// An array; if it contains only numbers, it is `.numbers`.
    public init(arrayLiteral elements: SettingValue...) {
        let numbers = elements.compactMap { element -> Double? in
            switch element {
            case .integer(let value): Double(value)
            case .number(let value): value
            default: nil
            }
        }
        self = numbers.count == elements.count ? .numbers(numbers) : .array(elements)
    }

    /// An object with its members in the order written.
    public init(dictionaryLiteral elements: (String, SettingValue)...) {
        self = .object(elements.map { SettingValue.Entry(key: Name($0.0), value: $0.1) })
    }
}
