// The clients of a history of rounds: they push, push again, close rounds, change the mode and wait for their rounds, and
// record the answers.

import Names
import Optimizers

@testable import ParameterServing
@testable import Threading

extension RoundStory {
    private static var settings: SettingValue { ["optimizer": "sgd", "learning_rate": 1] }

    /// Whether a client would send such a request now.
    func mayAsk(_ kind: RoundRequest.Kind) -> Bool { !open.contains { $0.kind.excludes(kind) } }

    /// Sends a request for the first time; nothing if its client is busy.
    func ask(_ kind: RoundRequest.Kind, isPatient: Bool = false) {
        guard mayAsk(kind) else { return }
        requests += 1
        let epoch: Int
        switch kind {
        case .push(let place): epoch = pushes[place.worker][place.index].epoch
        default: epoch = kind.worker.map { crew[$0].epoch } ?? 0
        }
        let request = RoundRequest(kind, number: requests, epoch: epoch, isPatient: isPatient)
        open.append(request)
        send(request)
    }

    /// Pushes the next number of a worker; in rounds of workers it may be too early, and is then refused.
    func push() {
        let worker = pick(0...Self.workers - 1)
        let known = crew[worker]
        guard !known.isSilent else { return }
        if known.hasEnded || known.mustRegister { return register(worker) }
        let seq = known.lastSeq + (pick(0...7) == 0 ? pick(2...3) : 1)
        push(of: worker, RoundPush(epoch: known.epoch, seq: seq))
    }

    /// Sends a push, and remembers it.
    func push(of worker: Int, _ push: RoundPush) {
        let place = RoundPush.Place(worker: worker, index: pushes[worker].count)
        guard mayAsk(.push(place)), place.index < Self.numbers else { return }
        pushes[worker].append(push)
        if !push.isLate { crew[worker].lastSeq = push.seq }
        ask(.push(place), isPatient: pick(0...1) == 0)
    }

    /// Sends the last push of a worker again, to learn the outcome of it.
    func repeatPush() {
        let worker = pick(0...Self.workers - 1)
        guard let last = pushes[worker].last, last.state != .unknown, last.state != .refused else { return }
        guard crew[worker].isKnown, last.epoch == crew[worker].epoch, !last.isLate else { return }
        ask(.push(RoundPush.Place(worker: worker, index: pushes[worker].count - 1)), isPatient: pick(0...1) == 0)
    }

    /// Lets a request stop waiting: its push stays in the round, and its arrival counts or is withdrawn.
    func stopWaiting() {
        guard let request = open.filter({ $0.wait != nil }).randomElement(using: &random) else { return }
        note("stop waiting for \(request.kind)")
        switch request.wait {
        case .round(let wait):
            wait.end()
            reached.insert(.leftRound)
        case .barrier(let wait): stopWaiting(at: wait, request)
        case nil: return
        }
        open.removeAll { $0 === request }
    }

    /// Sends a request to the daemon that is running now.
    func send(_ request: RoundRequest) {
        (request.life, request.sent, request.answers, request.wait) = (life, simulation.now, 0, nil)
        guard let registry else { return }
        note("send \(request.kind)")
        let sentIn = life
        let reply = { [self] (result: Result<RoundRequest.Answer, ServingError>) in
            request.answers += 1
            guard life == sentIn, disk.hasPower else { return }
            if request.answers > 1 { fail("\(request.kind) was answered \(request.answers) times") }
            answers.append((request, result))
        }
        nonisolated(unsafe) let answer = reply
        if case .create = request.kind {
            let width = Self.workers * Self.numbers + 1
            let definition = ModelDefinition.of(Self.settings, [("w", [Float](repeating: 0, count: width))])
            return registry.create(Self.name, .definition(definition), replacing: false, key: request.key) { result in
                answer(result.map { _ in .done })
            }
        }
        guard let model else { return open.removeAll { $0 === request } }
        send(request, to: model) { answer($0) }
    }

    private func send(
        _ request: RoundRequest, to model: Model,
        _ answer: @escaping @Sendable (Result<RoundRequest.Answer, ServingError>) -> Void
    ) {
        switch request.kind {
        case .create: break
        case .push(let place): push(place, request, to: model, answer)
        case .close: model.submit(Change.step().under(request.key)) { answer($0.map { .receipt($0.answer) }) }
        case .patch(let mode):
            let patch = SettingsPatch(patch: ["consistency": mode])
            model.submit(Change.reconfigure(patch, ifVersion: nil).under(request.key)) { answer($0.map { _ in .done }) }
        case .register(let worker, let ttl):
            let change = Change.register(worker: Roster.name(of: worker), ttl: ttl.map { .seconds($0) })
            model.submit(change.under(request.key)) {
                answer($0.map { .registered(epoch: $0.answer.epoch, isRepeated: $0.isRepeated) })
            }
        case .heartbeat(let worker):
            model.renewLease(of: Roster.name(of: worker), epoch: request.epoch) { answer($0.map { _ in .done }) }
        case .dismiss(let worker):
            let change = Change.dismiss(worker: Roster.name(of: worker)).under(request.key)
            model.submit(change) { answer($0.map { _ in .done }) }
        case .arrive(let worker, let generation): arrive(worker, generation, request, model, answer)
        }
    }

    private func push(
        _ place: RoundPush.Place, _ request: RoundRequest, to model: Model,
        _ answer: @escaping @Sendable (Result<RoundRequest.Answer, ServingError>) -> Void
    ) {
        var gradient = [Float](repeating: 0, count: Self.workers * Self.numbers + 1)
        gradient[place.worker * Self.numbers + place.index] = 1
        gradient[gradient.count - 1] = Float(Self.shares[place.worker])
        let push = pushes[place.worker][place.index]
        let key = seq(push.seq, Roster.name(of: place.worker), epoch: push.epoch)
        guard let made = try? model.makePush(["w": gradient], key) else { return }
        let sentIn = life
        let held = { [self] (receipt: Receipt, wait: RoundWait) in
            guard life == sentIn, disk.hasPower, request.life == life else { return }
            if request.answers > 0 { fail("\(request.kind) was answered, and waits") }
            hear(from: request, isAccepted: !receipt.replayed)
            request.wait = .round(wait)
            record(place, .success(receipt))
        }
        nonisolated(unsafe) let hold = held
        let wait: @Sendable (Answered<Receipt>, RoundWait) -> Void = { hold($0.answer, $1) }
        model.submit(push: .push(made), held: request.isPatient ? wait : nil) { result in
            answer(result.map { .receipt($0.answer) })
        }
    }

    // MARK: Answers

    /// Records the answers since the last call.
    func takeAnswers() {
        while !answers.isEmpty {
            let (request, result) = answers.removeFirst()
            // It has stopped waiting.
            guard open.contains(where: { $0 === request }) else { continue }
            note("\(request.kind): \(result)")
            if case .failure(.stopping) = result { continue }
            if case .failure(.inFlight) = result {
                request.life = 0
                continue
            }
            open.removeAll { $0 === request }
            hear(from: request, isAccepted: result.isAccepted)
            switch (request.kind, result) {
            case (.push(let place), .success(.receipt(let receipt))): finish(request, place, receipt)
            case (.push(let place), .failure(let error)): record(place, .failure(error))
            default: check(request, result)
            }
        }
    }

    /// Records the final receipt of a push; one that waited for its round knows the end of it.
    private func finish(_ request: RoundRequest, _ place: RoundPush.Place, _ receipt: Receipt) {
        if request.wait != nil {
            switch receipt.round?.state {
            case .held: if !isStopping { fail("\(place) waited, and was answered before its round ended") }
            case .dropped: reached.insert(.waitedInVain)
            case .closed, nil: reached.insert(.waited)
            }
        }
        record(place, .success(receipt))
    }

    private func record(_ place: RoundPush.Place, _ result: Result<Receipt, ServingError>) {
        let push = pushes[place.worker][place.index]
        guard push.state != .unknown else { return }
        let after: RoundPush.State
        switch result {
        case .success(let receipt):
            after = Self.state(of: receipt)
            judge(receipt, of: place)
        case .failure(let error):
            after = .refused
            judge(refusal: error, of: place)
        }
        switch (push.state, after) {
        case (.applied(let one), .applied(let other)) where one != other:
            fail("\(place) was in step \(one) and \(other)")
        case (.applied, .held), (.held, .refused), (.applied, .refused), (.applied, .dropped), (.dropped, .held),
            (.dropped, .applied):
            fail("\(place) was \(push.state), and is \(after)")
        default: pushes[place.worker][place.index].state = after
        }
        if case .applied(let told) = after, let step = push.step, step != told {
            fail("\(place) was told step \(told), and is in step \(step)")
        }
    }

    private static func state(of receipt: Receipt) -> RoundPush.State {
        switch receipt.round?.state {
        case .held: .held
        case .dropped: .dropped
        case .closed, nil: .applied(receipt.step)
        }
    }

    /// Checks the answer to a request other than a push.
    private func check(_ request: RoundRequest, _ result: Result<RoundRequest.Answer, ServingError>) {
        switch (request.kind, result) {
        case (.close, .failure(.roundEmpty)), (.close, .failure(.noRounds)): break
        case (.close, .success(.receipt(let receipt))): closedSteps.insert(receipt.step)
        case (.register(let worker, let ttl), .success(.registered(let epoch, let isRepeated))):
            register(worker, request, ttl: ttl, epoch, isRepeated: isRepeated)
        case (.dismiss(let worker), .success): dismissed(worker)
        case (.heartbeat(let worker), .failure(.fenced)): fence(worker, request.epoch, "\(request.kind)")
        case (.arrive(let worker, _), .failure(.fenced)):
            if request.wait != nil { reached.insert(.fencedAtBarrier) }
            meeting.leave(worker)
            fence(worker, request.epoch, "\(request.kind)")
        case (_, .failure(let error)): fail("\(request.kind) was refused: \(error)")
        default: break
        }
    }
}
