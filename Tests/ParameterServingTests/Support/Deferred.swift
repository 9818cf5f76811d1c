// Decisions of a model's state for tests: a refusal that waits for the log is an error of its own.

@testable import ParameterServing
@testable import Threading

/// The refusal of a command that waits until commands in progress have been logged.
struct Deferred: Error, Equatable {
    let reason: ServingError

    init(_ reason: ServingError) { self.reason = reason }
}

extension ModelState {
    /// The command to be logged; nil if it has been applied before.
    ///
    /// - Throws: `ServingError` for a refusal, `Deferred` for one that waits.
    mutating func proceed(with command: Command, at now: Tick) throws -> Command? {
        switch try decide(command, at: now) {
        case .proceed(let command): command
        case .repeated: nil
        case .deferred(let reason): throw Deferred(reason)
        }
    }
}
