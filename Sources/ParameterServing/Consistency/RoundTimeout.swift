// How long a round stays open after its first push.

import Names
import Optimizers
import Threading

/// The time from the first push of a round to its deadline.
enum RoundTimeout: Sendable, Equatable {
    /// This long.
    case fixed(Duration)
    /// Learned from the rounds before; see `RoundClock`.
    case automatic

    /// The time of rounds before anything is known.
    static let standard = Duration.seconds(60)
    /// The shortest and the longest time; a day is enough for the slowest step.
    private static let range = Duration.milliseconds(1)...Duration.seconds(86_400)

    /// Reads `round_timeout`: a time such as "30s", a number of seconds, or "auto".
    ///
    /// - Throws: `.invalid`.
    init(_ reader: SettingReader) throws(OptimizerError) {
        let time: Duration?
        switch reader.raw("round_timeout") {
        case nil: time = Self.standard
        case .string("auto")?:
            self = .automatic
            return
        case .string(let text)?: time = Duration(text: text)
        case let setting?: time = setting.numberValue.flatMap { $0 >= 0 && $0 <= 1e9 ? .seconds($0) : nil }
        }
        guard let time, Self.range.contains(time) else {
            throw reader.complaint(
                "round_timeout", .valueError,
                "`round_timeout` must be \"auto\" or a time from 1ms to 86400s, such as \"30s\" or 30.")
        }
        self = .fixed(.milliseconds(Int64((time / .milliseconds(1)).rounded())))
    }

    /// The time of a round as long as nothing has been learned.
    var atStart: Duration {
        switch self {
        case .fixed(let time): time
        case .automatic: Self.standard
        }
    }

    /// The value of `round_timeout`.
    var setting: SettingValue {
        switch self {
        case .fixed(let time): .string(time.text)
        case .automatic: .string("auto")
        }
    }
}
