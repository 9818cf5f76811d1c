// The hyperparameters of a push as a value: the journal and receipts store it, retries and rounds compare it.
// `BroughtValues` reads it for a model.

/// Hyperparameters for one update, in the words of a definition: `{"learning_rate":0.1,"betas":[0.9,0.98]}`, and
/// `{"groups":{"conv":{"lr":0.1}}}` for single groups.
///
/// Two are equal if they mean the same: the order of members does not matter, nor does the notation of numbers.
public struct Hyperparameters: Sendable, Equatable {
    /// The most values of one push.
    public static let mostValues = 4096

    /// The members, sorted by name, with numbers of one kind.
    public let setting: SettingValue

    /// Takes hyperparameters as sent; `BroughtValues` checks them.
    public init(_ setting: SettingValue) { self.setting = setting.canonical }

    /// The approximate size in memory.
    public var bytes: Int { setting.bytes }
}

extension SettingValue {
    /// The approximate size in memory: values are boxed, objects and arrays have a head.
    fileprivate var bytes: Int {
        switch self {
        case .null, .boolean, .integer, .number: 32
        case .string(let text): 48 + text.utf8.count
        case .numbers(let values): 64 + values.count * MemoryLayout<Double>.stride
        case .array(let elements): elements.reduce(64) { $0 + MemoryLayout<SettingValue>.stride + $1.bytes }
        case .object(let entries):
            entries.reduce(64) { $0 + MemoryLayout<Entry>.stride + $1.key.utf8.count + $1.value.bytes }
        }
    }
}
