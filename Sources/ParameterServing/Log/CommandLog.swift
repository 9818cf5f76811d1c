// The way of a command to the disk and back: log, then apply. Without a journal the way is short.

/// Takes commands in order and says when each may be applied.
final class CommandLog: Sendable {
    /// Logs a command of the model `uid`.
    ///
    /// - Parameter then: called once and in order of the log, with whether the command is durable now.
    func append(
        _ command: Command, of uid: ModelUID, then: @escaping @Sendable (Result<Bool, ServingError>) -> Void
    ) {
        then(.success(false))
    }
}
