// Threads for long work outside the models: computing answers, and reading and writing files. Each kind of work has its
// own thread and runs there in order, so short work does not wait for work of another kind.

/// The single-thread executors of a registry, one for each kind of work.
struct SerialExecutors: Sendable {
    /// Computes answers.
    let answers = Executor(threads: 1)
    /// Lists, opens and deletes checkpoints.
    let files = Executor(threads: 1)
    /// Writes checkpoints.
    let saves = Executor(threads: 1)
    /// Reads checkpoints, and the journal for rollbacks.
    let restores = Executor(threads: 1)

    /// Ends the threads once they have finished the work they were given.
    func stop() {
        for executor in [answers, files, saves, restores] { executor.stop() }
    }
}
