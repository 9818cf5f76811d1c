// The barrier of a history of rounds: no worker passes before all workers have arrived, and each is told once.

import Names

@testable import ParameterServing
@testable import Threading

extension RoundStory {
    private static let barrier: Name = "epoch"

    /// Lets a worker arrive at its next generation; it waits for the others, or asks again later.
    func arrive() {
        let worker = pick(0...Self.workers - 1)
        guard !crew[worker].isSilent, !crew[worker].hasEnded else { return }
        ask(.arrive(worker: worker, generation: crew[worker].generation), isPatient: pick(0...2) > 0)
    }

    /// Lets all workers arrive until they have passed a generation.
    ///
    /// - Returns: whether one has not.
    func meet(at generation: Int) -> Bool {
        let late = crew.indices.filter { crew[$0].generation <= generation }
        for worker in late {
            if crew[worker].hasEnded {
                register(worker)
            } else {
                ask(.arrive(worker: worker, generation: crew[worker].generation), isPatient: true)
            }
        }
        return !late.isEmpty
    }

    /// Sends an arrival.
    func arrive(
        _ worker: Int, _ generation: Int, _ request: RoundRequest, _ model: Model,
        _ answer: @escaping @Sendable (Result<RoundRequest.Answer, ServingError>) -> Void
    ) {
        let sentIn = life
        let told = { [self] (result: Result<BarrierFacts, ServingError>) in
            if case .success(let facts) = result, life == sentIn, disk.hasPower { judge(facts, request, model) }
            answer(result.map { .barrier($0) })
        }
        let wait = { [self] (wait: BarrierWait) in
            guard life == sentIn, disk.hasPower else { return }
            hear(from: request, isAccepted: true)
            request.wait = .barrier(wait)
        }
        nonisolated(unsafe) let (tell, park) = (told, wait)
        meeting.arrive(worker, at: generation)
        let arrival = Arrival(
            barrier: Self.barrier, worker: Roster.name(of: worker), count: Self.workers, generation: generation)
        let epoch = request.epoch > 0 ? request.epoch : nil
        let resume: @Sendable (Result<BarrierFacts, ServingError>) -> Void = { tell($0) }
        model.arrive(arrival, epoch: epoch, resume: request.isPatient ? resume : nil) { result in
            switch result {
            case .success(.passed(let facts)), .success(.held(let facts)): tell(.success(facts))
            case .success(.waits(let wait)): park(wait)
            case .failure(let error): tell(.failure(error))
            }
        }
    }

    /// Judges an answer at the moment at which it is given.
    private func judge(_ facts: BarrierFacts, _ request: RoundRequest, _ model: Model) {
        guard case .arrive(let worker, let generation) = request.kind else { return }
        readRoster(model)
        if facts.isReleased {
            if facts.generation != generation { fail("\(request.kind) was told of generation \(facts.generation)") }
            if let problem = meeting.pass(generation) { fail(problem) }
            crew[worker].generation = generation + 1
            reached.insert(.met)
        } else if request.isPatient {
            fail("\(request.kind) waited, and was told that \(facts.arrived) of \(facts.count) have arrived")
        }
    }

    /// Ends the wait of a worker whose time is up, or whose connection is gone.
    func stopWaiting(at wait: BarrierWait, _ request: RoundRequest) {
        guard let model, let worker = request.kind.worker else { return }
        if pick(0...1) == 0 {
            model.barriers.withdraw(wait)
            return meeting.leave(worker)
        }
        guard case .success(let facts) = model.barriers.giveUp(wait, at: Clock.tick), !facts.isReleased else {
            return fail("\(request.kind) still waits, and its wait has a result")
        }
    }
}
