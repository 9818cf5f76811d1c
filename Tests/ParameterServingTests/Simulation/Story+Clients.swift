// The simulated clients: they send requests, repeat those without an answer, and read.

import Names
import Optimizers

@testable import ParameterServing

/// A pull that waits.
final class Wait: @unchecked Sendable {
    let name: String
    let since: Int
    var answers = 0

    init(_ name: String, since: Int) { (self.name, self.since) = (name, since) }
}

extension Story {
    static let settings: SettingValue = ["optimizer": "sgd", "learning_rate": 1]

    /// Does one step of one client.
    func actOnce() {
        if let forgotten = open.first(where: { $0.life < life }) { return send(forgotten) }
        let name = Self.names[pick(0...2)]
        guard let truth = truths[name] else { return }
        let mine = open.filter { $0.name == name && $0.uid == truth.uid }
        guard mine.allSatisfy(\.isOfWorker) else { return }
        guard let uid = truth.uid else { return ask(.create, name, nil) }
        switch pick(0...29) {
        case 0: ask(.create, name, uid)
        case 1: ask(.delete, name, uid)
        case 2...6 where mine.isEmpty: ask(change(of: truth), name, uid)
        case 7...9: look(name)
        case 10...11: wait(name)
        default: push(name, uid, truth, busy: mine)
        }
    }

    /// A request whose effect the clients can account for only if no other request is in progress.
    private func change(of truth: Truth) -> Request.Kind {
        let checkpoint = truth.checkpoints.keys.sorted().randomElement(using: &random)
        switch pick(0...5) {
        case 0: return .importCounts(truth.counts.map { _ in pick(0...9) })
        case 1, 2: if let checkpoint { return .restore(checkpoint: checkpoint) }
        case 3 where truth.isPlain: return .rollback(step: truth.counts.reduce(0, +) / 2)
        default: break
        }
        return .save
    }

    private func push(_ name: String, _ uid: ModelUID, _ truth: Truth, busy: [Request]) {
        let worker = pick(0...Truth.workers - 1)
        guard !busy.contains(where: { $0.kind.subject == worker }) else { return }
        if truth.hasEnded[worker] || pick(0...19) == 0 { return ask(registration(of: worker), name, uid) }
        if truth.isKnown[worker], pick(0...29) == 0 { return ask(.dismiss(worker: worker), name, uid) }
        if pick(0...9) == 0, let late = truth.ended.last(where: { $0.worker == worker }) {
            return ask(.latePush(worker: worker), name, uid, epoch: late.epoch)
        }
        if pick(0...4) == 0, let receipt = truth.receipts[worker] {
            return ask(
                .repeatPush(step: receipt.step, version: receipt.version, worker: worker, seq: truth.seqs[worker]),
                name, uid, epoch: truth.epochs[worker])
        }
        ask(.push(worker: worker, seq: truth.seqs[worker] + 1), name, uid, epoch: truth.epochs[worker])
    }

    private func registration(of worker: Int) -> Request.Kind {
        .register(worker: worker, ttl: pick(0...1) == 0 ? nil : pick(1...30))
    }

    private func ask(_ kind: Request.Kind, _ name: String, _ uid: ModelUID?, epoch: Int = 0) {
        requests += 1
        let request = Request(kind, name, uid, number: requests)
        request.epoch = epoch
        open.append(request)
        send(request)
    }

    private func look(_ name: String) {
        if let model = try? registry?.model(named: name), model.uid == truths[name]?.uid { compare(model, name) }
    }

    private func wait(_ name: String) {
        guard let model = try? registry?.model(named: name) else { return }
        let wait = Wait(name, since: model.publication.current.version)
        waits.append(wait)
        _ = model.publication.wait(for: PullCondition(since: wait.since)) { [weak self] result in
            wait.answers += 1
            guard wait.answers == 1 else { self?.fail("a pull of \(name) was answered \(wait.answers) times"); return }
            guard case .version(let version) = result else { return }
            if version.version <= wait.since || version.uid != model.uid {
                self?.fail("a pull of \(name) after \(wait.since) got \(version.cursor)")
            }
        }
    }

    /// A daemon that is stopped cleanly has answered every pull.
    func judgeWaits(isDead: Bool) {
        if !isDead, let wait = waits.first(where: { $0.answers == 0 }) {
            fail("a pull of \(wait.name) after \(wait.since) was never answered")
        }
        waits = []
    }

    // MARK: Sending

    /// Sends a request to the daemon that is running now.
    func send(_ request: Request) {
        request.life = life
        guard let registry else { return }
        note("send \(request.name) \(request.kind)")
        var count = 0
        let sentIn = life
        let reply = { [self] (result: Result<Request.Answer, ServingError>) in
            count += 1
            guard life == sentIn, disk.hasPower else { return }
            if count > 1 { fail("\(request.name) \(request.kind) was answered \(count) times") }
            answers.append((request, result))
        }
        nonisolated(unsafe) let answer = reply
        switch request.kind {
        case .create:
            let definition = ModelDefinition.of(Self.settings, [("w", [Float](repeating: 0, count: Truth.workers))])
            registry.create(
                request.name, .definition(definition), replacing: request.uid != nil, key: request.key
            ) { result in
                answer(
                    result.map { created in
                        switch created {
                        case .new(let model): .created(model.uid, isRepeated: false)
                        case .existing(let model): .created(model.uid, isRepeated: true)
                        case .repeated(let uid, _): .created(uid, isRepeated: true)
                        }
                    })
            }
        case .delete: registry.delete(request.name, key: request.key) { answer($0.map { _ in .deleted }) }
        default:
            guard let model = try? registry.model(named: request.name), model.uid == request.uid else {
                // The model has been deleted meanwhile, so no client needs the answer.
                return open.removeAll { $0 === request }
            }
            send(request, to: model, registry) { answer($0) }
        }
    }

    private func send(
        _ request: Request, to model: Model, _ registry: ModelRegistry,
        _ answer: @escaping @Sendable (Result<Request.Answer, ServingError>) -> Void
    ) {
        switch request.kind {
        case .create, .delete: break
        case .push(let worker, let number), .repeatPush(_, _, let worker, let number):
            var gradient = [Float](repeating: 0, count: Truth.workers)
            gradient[worker] = 1
            let key = seq(number, Self.name(of: worker), epoch: request.epoch)
            guard let push = try? model.makePush(["w": gradient], key) else { return }
            model.submit(.push(push)) { answer($0.map { .receipt($0.answer) }) }
        case .latePush(let worker):
            let key = seq(1_000_000 + requests, Self.name(of: worker), epoch: request.epoch)
            guard let push = try? model.makePush(["w": [1, 1, 1]], key) else { return }
            model.submit(.push(push)) { answer($0.map { .receipt($0.answer) }) }
        case .register(let worker, let ttl):
            let change = Change.register(worker: Self.name(of: worker), ttl: ttl.map { .seconds($0) })
            model.submit(change.under(request.key)) { answer($0.map { .registered(epoch: $0.answer.epoch) }) }
        case .dismiss(let worker):
            let change = Change.dismiss(worker: Self.name(of: worker)).under(request.key)
            model.submit(change) { answer($0.map { _ in .deleted }) }
        case .save: registry.saveCheckpoint(of: model, key: request.key) { answer($0.map { .saved($0.answer) }) }
        case .importCounts(let counts):
            guard let values = try? model.makePush(["w": counts.map { -Float($0) }]) else { return }
            let change = Change.importValues(values.arena, present: [true]).under(request.key)
            model.submit(change) { answer($0.map { _ in .changed(true) }) }
        case .restore(let id):
            registry.restore(model, toCheckpoint: id, key: request.key) { answer($0.map { .changed($0 != nil) }) }
        case .rollback(let step):
            registry.rollback(model, toStep: step, key: request.key) { answer($0.map { .changed($0 != nil) }) }
        }
    }

    private static func name(of worker: Int) -> Name { Name("worker\(worker)") }
}
