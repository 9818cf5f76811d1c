// The clients of a history of rounds: they push, push again, close rounds and change the mode, and record the answers.

import Names
import Optimizers

@testable import ParameterServing

extension RoundStory {
    private static var settings: SettingValue { ["optimizer": "sgd", "learning_rate": 1] }

    /// Sends a request for the first time; nothing if one of its kind is open.
    func ask(_ kind: RoundRequest.Kind) {
        let isBusy = open.contains { request in
            switch (request.kind, kind) {
            case (.create, _), (_, .create), (.close, .close), (.patch, .patch): true
            case (.push(let one), .push(let other)): one.worker == other.worker
            default: false
            }
        }
        guard !isBusy else { return }
        requests += 1
        let request = RoundRequest(kind, number: requests)
        open.append(request)
        send(request)
    }

    /// Pushes the next number of a worker; in rounds of workers it may be too early, and is then refused.
    func push() {
        let worker = pick(0...Self.workers - 1)
        guard !open.contains(where: { $0.worker == worker }), pushes[worker].count < Self.numbers else { return }
        pushes[worker].append(RoundPush())
        ask(.push(RoundPush.Place(worker: worker, index: pushes[worker].count - 1)))
    }

    /// Sends the last push of a worker again, to learn the outcome of it.
    func repeatPush() {
        let worker = pick(0...Self.workers - 1)
        guard let last = pushes[worker].last, last.state != .unknown, last.state != .refused else { return }
        ask(.push(RoundPush.Place(worker: worker, index: pushes[worker].count - 1)))
    }

    /// Sends a request to the daemon that is running now.
    func send(_ request: RoundRequest) {
        request.life = life
        guard let registry else { return }
        note("send \(request.kind)")
        let sentIn = life
        let reply = { [self] (result: Result<Receipt?, ServingError>) in
            guard life == sentIn, disk.hasPower else { return }
            answers.append((request, result))
        }
        nonisolated(unsafe) let answer = reply
        if case .create = request.kind {
            let width = Self.workers * Self.numbers + 1
            let definition = ModelDefinition.of(Self.settings, [("w", [Float](repeating: 0, count: width))])
            return registry.create(Self.name, .definition(definition), replacing: false, key: request.key) { result in
                answer(result.map { _ in nil })
            }
        }
        guard let model else { return open.removeAll { $0 === request } }
        send(request, to: model) { answer($0) }
    }

    private func send(
        _ request: RoundRequest, to model: Model,
        _ answer: @escaping @Sendable (Result<Receipt?, ServingError>) -> Void
    ) {
        switch request.kind {
        case .create: break
        case .push(let place):
            var gradient = [Float](repeating: 0, count: Self.workers * Self.numbers + 1)
            gradient[place.worker * Self.numbers + place.index] = 1
            gradient[gradient.count - 1] = Float(Self.shares[place.worker])
            let key = seq(place.index + 1, Name("worker\(place.worker)"))
            guard let push = try? model.makePush(["w": gradient], key) else { return }
            model.submit(.push(push)) { answer($0.map(\.answer)) }
        case .close: model.submit(Change.step().under(request.key)) { answer($0.map(\.answer)) }
        case .patch(let mode):
            let patch = SettingsPatch(patch: ["consistency": mode])
            model.submit(Change.reconfigure(patch, ifVersion: nil).under(request.key)) { answer($0.map { _ in nil }) }
        }
    }

    // MARK: Answers

    /// Records the answers since the last call.
    func takeAnswers() {
        while !answers.isEmpty {
            let (request, result) = answers.removeFirst()
            note("\(request.kind): \(result)")
            if case .failure(.stopping) = result { continue }
            if case .failure(.inFlight) = result {
                request.life = 0
                continue
            }
            open.removeAll { $0 === request }
            if case .push(let place) = request.kind { record(place, result) } else { check(request, result) }
        }
    }

    private func record(_ place: RoundPush.Place, _ result: Result<Receipt?, ServingError>) {
        let push = pushes[place.worker][place.index]
        guard push.state != .unknown else { return }
        let after: RoundPush.State
        switch result {
        case .success(let receipt): after = receipt.map(Self.state) ?? push.state
        case .failure(.alreadyInRound): after = .refused
        case .failure(let error): return fail("\(place) was refused: \(error)")
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
    private func check(_ request: RoundRequest, _ result: Result<Receipt?, ServingError>) {
        switch (request.kind, result) {
        case (.close, .failure(.roundEmpty)), (.close, .failure(.noRounds)): break
        case (_, .failure(let error)): fail("\(request.kind) was refused: \(error)")
        case (.close, .success(let receipt?)): closedSteps.insert(receipt.step)
        default: break
        }
    }
}
