// One limit: its name, what it bounds, and the setting behind it.

import HTTPServing
import ParameterServing

/// The settings of the layers below, which limits change.
struct LayerSettings: Sendable {
    var http = HTTPConfiguration(address: .tcp(host: "127.0.0.1", port: 0))
    var serving = ServingConfiguration(memoryLimit: 0)
}

/// A bound on what clients may do, told by `--help` and `/v1/server` under one name.
struct Limit: Sendable {
    typealias Path<Value> = any WritableKeyPath<LayerSettings, Value> & Sendable

    /// Where the number is, and so in which unit it is written.
    enum Place: Sendable {
        case count(Path<Int>)
        case bytes(Path<Int>)
        case time(Path<Duration>)
        case percent(Path<Int>)
        /// Part of the contract or of the code's own safety; not for the command line.
        case fixed(String)
    }

    let name: String
    /// One sentence without its full stop.
    let meaning: String
    let place: Place

    init(_ name: String, _ place: Place, _ meaning: String) {
        self.name = name
        self.place = place
        self.meaning = meaning
    }

    var isFixed: Bool { if case .fixed = place { true } else { false } }

    /// The value as `--limit` takes it.
    func text(in settings: LayerSettings) -> String {
        switch place {
        case .count(let path): "\(settings[keyPath: path])"
        case .bytes(let path): ByteCount(bytes: settings[keyPath: path]).defaultValueDescription
        case .time(let path): TimeSpan(settings[keyPath: path]).text
        case .percent(let path): "\(settings[keyPath: path])%"
        case .fixed(let text): text
        }
    }

    /// Changes the setting behind this limit; false for what is no value of it.
    func set(_ text: String, in settings: inout LayerSettings) -> Bool {
        switch place {
        case .count(let path):
            guard let count = Int(digits: text), count > 0 else { return false }
            settings[keyPath: path] = count
        case .bytes(let path):
            guard let count = ByteCount(argument: text) else { return false }
            settings[keyPath: path] = count.bytes
        case .time(let path):
            guard let time = TimeSpan(argument: text) else { return false }
            settings[keyPath: path] = time.duration
        case .percent(let path):
            guard text.hasSuffix("%"), let percent = Int(digits: text.dropLast()) else { return false }
            guard 1...100 ~= percent else { return false }
            settings[keyPath: path] = percent
        case .fixed:
            return false
        }
        return true
    }
}
