// The whole state of a live model, for snapshots and checkpoints.

import Journal
import Threading

extension Model {
    /// The whole state between two commands.
    ///
    /// Blocks, so never call it on a network thread.
    ///
    /// - Throws: `outOfMemory` if there is no room for a copy of the slots.
    func waitForImage() throws(ServingError) -> LentImage {
        let image = Future<Result<LentImage, ServingError>>()
        inspect { state in image.fulfil(Result { () throws(ServingError) in try state.lentImage() }) }
        return try image.wait().get()
    }

    /// Passes the state itself to `body` while the model pauses; for when there is no room for a copy.
    func hold<Result>(_ body: (ModelImage) throws(JournalError) -> Result) throws(JournalError) -> Result {
        let (held, end) = (Future<ModelImage>(), Future<Void>())
        inspect { state in
            held.fulfil(state.view)
            end.wait()
        }
        defer { end.fulfil(()) }
        return try body(held.wait())
    }
}
