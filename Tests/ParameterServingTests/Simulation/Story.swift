// A simulated history of clients that create, push to, restore and delete a few models: their account must be right,
// whatever dies and when.

import Journal
import Names
import Optimizers
import SimulatedMachine

@testable import ParameterServing
@testable import Threading

/// A history of models that come and go.
final class Story: SimulatedHistory, @unchecked Sendable {
    static let names = ["a", "b", "é"]

    var truths: [String: Truth] = [:]
    /// Requests that have no answer yet.
    var open: [Request] = []
    /// Answers in the order in which they came.
    var answers: [(request: Request, result: Result<Request.Answer, ServingError>)] = []
    var waits: [Wait] = []
    /// Every model that a client or a start has seen.
    var known: Set<ModelUID> = []
    var requests = 0

    override init(seed: UInt64) {
        super.init(seed: seed)
        for name in Self.names { truths[name] = Truth() }
    }

    override func act() { actOnce() }

    override func settle() { takeAnswers() }

    override func forgetAnswers() { answers = [] }

    override func checkWaits(isDead: Bool) { judgeWaits(isDead: isDead) }

    /// Starts the daemon once more until every request is answered, then checks that another start finds the same.
    override func finish() {
        while problems.isEmpty, !begin() {}
        for _ in 0..<20_000 where problems.isEmpty && !open.isEmpty {
            simulation.run {
                for request in open where request.life < life { send(request) }
                simulation.turn()
                settle()
            }
        }
        if problems.isEmpty, let request = open.first { fail("\(request.name) \(request.kind) is never answered") }
        end(dies: false)
        guard problems.isEmpty, begin() else { return }
        end(dies: false)
    }

    // MARK: The findings of a start

    /// Compares the models that the daemon recovered with what the clients know.
    override func reconcile() {
        let models = Dictionary(uniqueKeysWithValues: (registry?.list() ?? []).map { ($0.name, $0) })
        for name in Self.names { reconcile(name, models[name]) }
        for name in models.keys where !Self.names.contains(name) { fail("there is a model \(name)") }
    }

    private func reconcile(_ name: String, _ model: Model?) {
        guard var truth = truths[name] else { return }
        let moving = open.first { $0.name == name && $0.movesName }
        if model?.uid != truth.uid {
            let isNew = model.map { !known.contains($0.uid) } ?? false
            switch (moving?.kind, model) {
            case (.create, .some) where isNew: moving?.adopted = model?.uid
            case (.delete, nil): break
            default:
                let isOld = model.map { truth.past.contains($0.uid) } ?? true
                if !isUncertain || !isOld && !isNew {
                    fail(
                        "\(name) is \(model.map { "\($0.uid)" } ?? "gone"), not \(truth.uid.map { "\($0)" } ?? "gone")")
                }
            }
            truth.begin(model?.uid)
            // A model may have returned whose numbers the clients no longer know: they continue with far higher ones.
            truth.seqs = truth.seqs.map { _ in 1000 * life }
            truth.doubtWorkers()
            if let uid = model?.uid { known.insert(uid) }
        }
        if let adopted = moving?.adopted, adopted != model?.uid { moving?.adopted = nil }
        truths[name] = truth
        open.removeAll { $0.name == name && !$0.movesName && $0.uid != model?.uid }
        if let model { compare(model, name) }
    }

    /// Compares the newest version of a model with what the clients know.
    func compare(_ model: Model, _ name: String) {
        guard var truth = truths[name] else { return }
        let current = model.publication.current
        let counts = current.values(at: 0).map { -Int($0) }
        note("\(name) at version \(current.version): \(counts)")
        let mine = open.filter { $0.name == name && $0.uid == model.uid }
        if !isUncertain, !truth.allows(counts, step: current.step, open: mine) {
            fail("\(name) has \(counts) at \(current.cursor), not \(truth.counts), open: \(mine.map(\.kind))")
        }
        if current.version < truth.newest { fail("\(name) is at \(current.cursor), after version \(truth.newest)") }
        if let before = truth.shown[current.version], before != counts {
            fail("\(name) at \(current.cursor) is \(counts) and was \(before)")
        }
        truth.shown[current.version] = counts
        truth.newest = max(truth.newest, current.version)
        for request in mine where request.life < life {
            // The daemon died before it could answer this push, but has applied it.
            guard let worker = request.kind.worker, counts[worker] == truth.counts[worker] + 1 else { continue }
            truth.counts[worker] += 1
            request.isCounted = true
        }
        if isUncertain {
            truth.counts = counts
            truth.doubtWorkers()
            for request in mine { (request.isCounted, request.mayBeCounted) = (false, true) }
            // The push that a request repeats may be lost; the request would then be applied as the first.
            open.removeAll { $0.name == name && $0.isDoubtful }
        }
        truths[name] = truth
    }
}
