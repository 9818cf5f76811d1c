// swift-log's levels as the value of a flag.

import ArgumentParser
import Logging

/// The least severe messages that are logged.
enum LogLevel: String, ExpressibleByArgument, CaseIterable, Sendable {
    case trace, debug, info, notice, warning, error, critical

    var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}
