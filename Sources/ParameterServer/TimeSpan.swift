// Times as people write them.

import HTTPServing

/// A time: `10s`, `500ms`.
struct TimeSpan: Sendable {
    let duration: Duration

    init(_ duration: Duration) {
        self.duration = duration
    }

    init?(argument: String) {
        let isMilliseconds = argument.hasSuffix("ms")
        guard argument.hasSuffix("s"), let number = Int(digits: argument.dropLast(isMilliseconds ? 2 : 1)),
            (1...86_400_000).contains(number)
        else { return nil }
        duration = isMilliseconds ? .milliseconds(number) : .seconds(number)
    }

    /// The value as written on the command line.
    var text: String {
        let (seconds, attoseconds) = duration.components
        return attoseconds == 0 ? "\(seconds)s" : "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms"
    }
}
