// The round of a new model, with the pushes that came with its file. No worker of the file is registered here, but a
// retry of such a push gets its receipt, so that it is not counted twice.

import Names
import Optimizers

extension ModelState {
    /// Opens the round with the pushes of a file, and stores the receipt of each under its keys.
    ///
    /// - Parameters:
    ///   - image: the round.
    ///   - isNew: whether to refuse what a push of this model would be refused for; a file that is in the log was
    ///     accepted before.
    /// - Throws: `invalid`, `outOfMemory`, `noMemory`.
    mutating func adopt(_ image: RoundImage, isNew: Bool) throws(ServingError) {
        if isNew { try checkRoom(for: image) }
        for held in image.held {
            // The arena, and the record while it is read.
            if isNew { _ = try pool.budget.reserve(pool.bytes + 2 * held.byteCount) }
            let push: HeldPush
            do throws(FormatError) { push = try held.read(in: layout, pool) } catch {
                if let bytes = error.missingMemory { throw .noMemory(needed: bytes) }
                throw Self.misfit("a push of the round cannot be read: expected \(error.expected)")
            }
            if isNew { try judge(push) }
            adopt(push)
        }
        if isNew { try kept.makeRoom(for: keptBytes) }
        kept.follow(keptBytes)
    }

    private mutating func adopt(_ held: HeldPush) {
        var held = held
        // The model of the file may have another name, which is in the path of the request.
        held.requestKey?.target = nil
        round.adopt(held)
        let receipt = receipt(of: held, in: roundView)
        let push = held.push
        if let key = push.key { ledger.adopt(key, push.fingerprint, receipt, seen: push.sighting) }
        if let key = held.requestKey { keys.finish(key, .receipt(receipt)) }
    }

    private func checkRoom(for image: RoundImage) throws(ServingError) {
        if image.held.isEmpty { return }
        guard facts.consistency.hasRounds else {
            throw Self.misfit("mode \"\(facts.consistency.mode)\" has no rounds, but the file has pushes in one")
        }
        guard let most = facts.consistency.mostPushes, image.held.count > most else { return }
        throw Self.misfit("its round has \(image.held.count) pushes, and the most for this reduction is \(most)")
    }

    /// Judges a push of a file as far as that does not depend on when it arrived.
    private func judge(_ held: HeldPush) throws(ServingError) {
        let (push, brought) = (held.push, held.push.hyperparameters)
        try wrapping { () throws(OptimizerError) in
            try optimizer.varied(by: brought).check(push.gradients)
        }
        if let first = round.held.first?.push, first.hyperparameters != brought {
            throw .otherHyperparameters(brought, ofRound: first.hyperparameters)
        }
        if let key = push.key, !ledger.hasRoom(for: key.worker) {
            throw Self.misfit(
                "its round has pushes of more workers than the limit `workers`, \(ledger.mostWorkers); start the daemon with a larger --limit workers"
            )
        }
        try trainingHistory.checkRoom(for: push.metrics, in: "metrics")
    }

    private static func misfit(_ detail: String) -> ServingError {
        .invalid([
            Complaint(
                pointer: "", exception: .valueError,
                detail: "the metadata of the file does not fit its model: \(detail)")
        ])
    }
}
