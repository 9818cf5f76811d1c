// What a push would do, without doing it.

import Optimizers

extension Model {
    /// Judges a push as if it were applied next and gives what it would do to `reply`, on an executor thread.
    ///
    /// The push's key is left alone: a dry run uses up nothing.
    public func dryRun(_ push: Push, reply: @escaping @Sendable (Result<DryRun, ServingError>) -> Void) {
        inspect { state in
            do throws(ServingError) {
                try state.judge(push)
                reply(.success(try state.dryRun(push)))
            } catch {
                reply(.failure(error))
            }
        }
    }
}

extension ModelState {
    fileprivate func dryRun(_ push: Push) throws(ServingError) -> DryRun {
        do throws(OptimizerError) {
            return try optimizer.dryRun(push.gradients, from: UnsafePointer(arena.buffer.base))
        } catch {
            throw ServingError(error)
        }
    }
}
