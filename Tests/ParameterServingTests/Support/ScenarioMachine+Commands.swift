// The effect of each verb of a scenario on the machine.

import Names
import Optimizers
import Threading

@testable import Journal
@testable import ParameterServing

extension ScenarioMachine {
    func perform(_ command: ScenarioCommand) throws {
        switch command.verb {
        case "limits": limit(command)
        case "create": carryOut(try decide(try creation(command)))
        case "delete": carryOut(try decide(deletion(command)))
        case "push", "load", "patch", "grow", "register", "dismiss", "step":
            try submit(try change(command), to: command.name)
        case "heartbeat": try heartbeat(command)
        case "begin":
            let number = pending.count + 1
            guard let (next, position) = try begin(command.inner) else { return }
            pending[number] = next
            tell("ticket \(number), record \(position)")
        case "logged", "lost": try end(command)
        case "shelve": try shelve(command.name)
        case "stop": closed = .stopping
        case "save": checkpoints[command.words[1]] = try models[uid(of: command.name)]?.image()
        case "restore": try restore(command)
        case "rollback": try rollback(command)
        case "salvage": salvage(losing: command.integer("records") ?? 0)
        case "deadline": try deadline(command)
        case "ask": try ask(command)
        case "pull": try pull(command)
        case "leave": leave(command.name)
        case "tick": try pass(seconds: Int(command.name) ?? 0)
        case "show": try show(command.name)
        case "replay": try replay()
        default: tell("unknown command \(command.verb)")
        }
    }

    private func begin(_ command: ScenarioCommand) throws -> (Pending, UInt64)? {
        switch command.verb {
        case "create": try decide(try creation(command))
        case "delete": try decide(deletion(command))
        default:
            try decide(try change(command), for: command.name).map { uid, change, position in
                (.change(uid, change), position)
            }
        }
    }

    private func limit(_ command: ScenarioCommand) {
        var configuration = assembly.configuration
        configuration.mostModels = command.integer("models") ?? configuration.mostModels
        configuration.mostWorkers = command.integer("workers") ?? configuration.mostWorkers
        configuration.receiptWindow = command.integer("receipts") ?? configuration.receiptWindow
        configuration.requestKeys = command.integer("keys") ?? configuration.requestKeys
        if let seconds = command.integer("worker-lifetime") { configuration.workerLifetime = .seconds(seconds) }
        if let seconds = command.integer("key-lifetime") { configuration.keyLifetime = .seconds(seconds) }
        assembly = ModelAssembly(configuration, .builtin)
        if records.isEmpty { directory.keys = KeyLedger(configuration) }
    }

    // MARK: Changes

    private func change(_ command: ScenarioCommand) throws -> Command {
        guard let state = models[try uid(of: command.name)] else { throw ServingError.stopping }
        let versions = command.integer("if-version").map { [$0] }
        let plain: Command
        var body = Fingerprint.nothing
        switch command.verb {
        case "push":
            var push = try state.makePush(
                command.tensors, command.pushKey, basedOn: command.basis(of: state.facts.uid))
            push.examples = command.integer("examples")
            push.nonFinite = push.nonFinite.map {
                Complaint(pointer: $0.pointer, exception: .valueError, detail: "NaN")
            }
            push.hyperparameters = command.hyperparameters
            push.fingerprint = push.fingerprint.with(push.hyperparameters)
            body = push.fingerprint
            plain = .push(push)
        case "load":
            let push = try state.makePush(command.tensors)
            body = push.fingerprint
            plain = .importValues(push.arena, present: push.gradients.isDense, ifVersion: versions)
        case "patch":
            let patch = SettingsPatch(group: command.text("group").map { Name($0) }, patch: command.settings)
            try patch.check(against: state.layout)
            body = patch.patch.fingerprint
            plain = .reconfigure(patch, ifVersion: versions)
        case "grow":
            body = command.growth.fingerprint
            plain = .grow(command.growth, ifVersion: versions)
        case "step": plain = .closeRound(RoundClosing(action: .update))
        case "register":
            plain = .register(worker: Name(command.words[1]), ttl: command.integer("ttl").map { $0 * 1000 })
        default: plain = .dismiss(worker: Name(command.words[1]))
        }
        return plain.under(key(of: command, body))
    }

    private func end(_ command: ScenarioCommand) throws {
        guard let ticket = Int(command.name), let waiting = pending.removeValue(forKey: ticket) else {
            return tell("no ticket \(command.name)")
        }
        if command.verb == "lost" { lose(waiting) }
        if command.verb == "logged" { end(waiting, at: UInt64(command.words[1]) ?? 0) }
    }

    private func restore(_ command: ScenarioCommand) throws {
        guard let image = checkpoints[command.words[1]] else { return tell("no checkpoint \(command.words[1])") }
        try submit(.restore(Restoration(image)), to: command.name)
    }

    // MARK: Rounds

    /// What the timer does when the clock of a round runs out.
    private func deadline(_ command: ScenarioCommand) throws {
        let (uid, round) = (try uid(of: command.name), command.integer("round") ?? 0)
        guard let closing = models[uid]?.closingAtDeadline(of: round) else { return tell("wait on") }
        try submit(.closeRound(closing), to: command.name)
    }

    /// Whether a worker may pull.
    private func ask(_ command: ScenarioCommand) throws {
        let refusal = gates[try uid(of: command.name)]?.refusal(of: Name(command.words[1]))
        tell(refusal?.line ?? "\(command.words[1]) may pull")
    }

    // MARK: Pulls and time

    private func pull(_ command: ScenarioCommand) throws {
        guard let publication = publications[try uid(of: command.name)], let pull = command.text("as") else { return }
        let condition = PullCondition(since: command.integer("since"), minStep: command.integer("min-step"))
        let deadline = Locked<Timer?>(nil)
        let token = publication.wait(for: condition) { [tell = teller, timers] result in
            if let timer = deadline.withLock({ $0 }) { timers.cancel(timer) }
            switch result {
            case .version(let version): tell("pull \(pull): \(version.line)")
            case .ended(let error): tell("pull \(pull): \(error.line)")
            }
        }
        guard let token else { return }
        let timer = Timer { [tell = teller] _ in
            publication.cancel(token)
            tell("pull \(pull): nothing new at version \(publication.current.version)")
        }
        deadline.withLock { $0 = timer }
        pulls[pull] = (publication, token, timer)
        timers.set(timer, at: tick.uptime + UInt64(command.integer("wait") ?? 0) * 1_000_000_000)
        tell("pull \(pull) waits")
    }

    private func leave(_ name: String) {
        guard let pull = pulls.removeValue(forKey: name) else { return tell("no pull \(name)") }
        pull.publication.cancel(pull.token)
        timers.cancel(pull.timer)
    }

    private func pass(seconds: Int) throws {
        now.withLock { $0 += seconds }
        while timers.turn() == .worked {}
        for uid in models.keys.sorted(by: { $0.number < $1.number }) { try endLeases(of: uid) }
    }

    /// What a model does when its earliest lease may have run out.
    private func endLeases(of uid: ModelUID) throws {
        guard let name = models[uid]?.facts.name, let command = models[uid]?.endOfLeases(at: tick) else { return }
        try submit(command, to: name)
    }

    private func heartbeat(_ command: ScenarioCommand) throws {
        let (uid, now) = (try uid(of: command.name), tick)
        let worker = Name(command.words[1])
        let facts = try models[uid]?.renewLease(of: worker, epoch: command.integer("epoch"), at: now)
        tell("\(worker): \(facts?.expiresIn.map { "expires in \($0.components.seconds)s" } ?? "no lease")")
    }

    private func show(_ name: String) throws {
        guard let state = models[try uid(of: name)] else { return }
        tell(state.line)
        for worker in state.ledger.workers.keys.sorted() {
            let known = state.ledger.workers[worker]
            let (epoch, seen) = (known?.epoch ?? 0, known?.lastSeen ?? 0)
            let lease = known?.ttl.map { ", ttl \($0 / 1000)s" } ?? ""
            let end = known?.hasEnded == true ? ", ended" : ""
            tell("worker \(worker): epoch \(epoch), last seq \(known?.lastSeq ?? 0), seen at \(seen)\(lease)\(end)")
        }
        if !state.ledger.expired.isEmpty {
            tell("expired: \(state.ledger.expired.keys.sorted().map(\.text).joined(separator: " "))")
        }
    }
}
