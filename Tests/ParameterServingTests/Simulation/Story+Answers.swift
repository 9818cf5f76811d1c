// What the simulated clients record of the answers.

@testable import ParameterServing

extension Story {
    /// Records the answers since the last call.
    func takeAnswers() {
        while !answers.isEmpty {
            let (request, result) = answers.removeFirst()
            note("\(request.name) \(request.kind): \(result.told)")
            switch result {
            case .failure(.stopping): continue
            case .failure(let error): refuse(request, error)
            case .success(let answer):
                open.removeAll { $0 === request }
                settle(request, answer)
            }
        }
    }

    private func refuse(_ request: Request, _ error: ServingError) {
        open.removeAll { $0 === request }
        let isGone =
            request.uid != truths[request.name]?.uid || open.contains { $0.name == request.name && $0.movesName }
        switch error {
        case .unknownModel where isGone, .modelReplaced where isGone: break
        case .fenced: fence(request)
        default: fail("\(request.name) \(request.kind) was refused: \(error)")
        }
    }

    /// Records that a worker's epoch has ended: its client must have had reason to expect that.
    private func fence(_ request: Request) {
        guard let worker = request.kind.subject, truths[request.name]?.uid == request.uid else { return }
        if case .latePush = request.kind { return }
        guard var truth = truths[request.name], truth.mayHaveEnded[worker], !request.isCounted, !request.isRepeat else {
            return fail("\(request.name) \(request.kind) of epoch \(request.epoch) was fenced")
        }
        // An epoch that may be lost may be reused.
        if request.epoch <= truth.lastEpoch { truth.end(worker) }
        truth.hasEnded[worker] = true
        truths[request.name] = truth
    }

    private func settle(_ request: Request, _ answer: Request.Answer) {
        guard var truth = truths[request.name] else { return }
        if !request.movesName, truth.uid != request.uid { return }
        switch (request.kind, answer) {
        case (.create, .created(let uid, let isRepeated)): create(request, uid, isRepeated, &truth)
        case (.delete, .deleted): truth.begin(nil)
        case (.save, .saved(let facts)): truth.checkpoints[facts.id] = truth.counts
        case (.push(let worker, let seq), .receipt(let receipt)):
            if request.isCounted, !receipt.replayed {
                fail("\(request.name): push \(seq) of worker \(worker) was applied twice")
            }
            truth.counts[worker] += request.isCounted || request.mayBeCounted && receipt.replayed ? 0 : 1
            truth.seqs[worker] = seq
            truth.receipts[worker] = receipt
            truth.isKnown[worker] = true
            truth.newest = max(truth.newest, receipt.version)
        case (.repeatPush(let step, let version, let worker, let seq), .receipt(let receipt)):
            guard truth.seqs[worker] == seq, truth.receipts[worker] != nil else { break }
            if !receipt.replayed || (receipt.step, receipt.version) != (step, version) {
                fail("\(request.name): push \(seq) of worker \(worker) was step \(step), and is now \(receipt.step)")
            }
        case (.register(let worker, let ttl), .registered(let epoch)):
            if epoch <= truth.lastEpoch { fail("\(request.name): epoch \(epoch) was given after \(truth.lastEpoch)") }
            truth.register(worker, epoch: epoch, hasLease: ttl != nil)
        case (.dismiss(let worker), .deleted):
            truth.end(worker)
            truth.isKnown[worker] = false
        case (.importCounts(let counts), .changed):
            truth.counts = counts
            truth.isPlain = false
        case (.restore(let id), .changed(true)):
            truth.counts = truth.checkpoints[id] ?? truth.counts
            truth.isPlain = false
        case (.rollback, .changed(true)): goBack(request, &truth)
        case (.restore, .changed(false)), (.rollback, .changed(false)): break
        default: fail("\(request.name) \(request.kind) was answered \(answer)")
        }
        truths[request.name] = truth
    }

    private func create(_ request: Request, _ uid: ModelUID, _ isRepeated: Bool, _ truth: inout Truth) {
        guard uid != truth.uid || !isRepeated else { return }
        if known.contains(uid) { fail("the new \(request.name) has the uid \(uid) of another model") }
        if let adopted = request.adopted { fail("\(request.name) was created as \(adopted), and again as \(uid)") }
        known.insert(uid)
        truth.begin(uid)
    }

    /// Records the counts after a rollback: the clients know only that their sum is the step.
    private func goBack(_ request: Request, _ truth: inout Truth) {
        guard let model = try? registry?.model(named: request.name), model.uid == request.uid else { return }
        let current = model.publication.current
        truth.counts = current.values(at: 0).map { -Int($0) }
        if truth.counts.reduce(0, +) != current.step {
            fail("\(request.name) went back to step \(current.step) with \(truth.counts)")
        }
    }
}
