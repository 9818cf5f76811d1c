// Threads for what takes long and is no model's own: answers that are computed, and files that are written and read. Each kind
// has a thread, and its work goes one after another there, so that what is short waits for nothing that is long.

/// The desks of a registry.
struct Desks: Sendable {
    /// Computes answers.
    let answers = Executor(threads: 1)
    /// Lists, opens and deletes checkpoints.
    let files = Executor(threads: 1)
    /// Writes checkpoints.
    let saves = Executor(threads: 1)
    /// Reads checkpoints, and the journal for rollbacks.
    let restores = Executor(threads: 1)

    /// Ends the threads after what they have to do.
    func stop() {
        for desk in [answers, files, saves, restores] { desk.stop() }
    }
}
