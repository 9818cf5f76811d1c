// Blocking appends for starts and salvages. Threads that serve requests pass a callback instead.

import Threading

extension Journal {
    /// Appends a record and waits until it is durable, in any mode.
    ///
    /// Do not call it from a callback.
    ///
    /// - Returns: The record's position.
    public func appendDurably(_ record: Record) throws(JournalError) -> UInt64 {
        let result = Future<Result<UInt64, JournalError>>()
        append(record) { [self] appended in
            switch appended {
            case .failure(let error): result.fulfil(.failure(error))
            case .success(let acknowledgement):
                flush { flushed in result.fulfil(flushed.map { _ in acknowledgement.position }) }
            }
        }
        return try result.wait().get()
    }
}
