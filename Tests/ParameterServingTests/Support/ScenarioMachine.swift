// The core without anything around it: decides a command, keeps its record in a list, applies it, and returns the
// effects as lines. A replay reads the list as a start does and must reach the same bits.

import Names
import Optimizers
import Threading

@testable import Journal
@testable import ParameterServing

/// A directory of models that a scenario controls.
final class ScenarioMachine {
    /// A command that has been decided and not yet applied.
    enum Pending {
        case change(ModelUID, Command)
        case creation(Creation, ModelState, count: UInt64)
        case deletion(Deletion, ModelUID)
    }

    var assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 24, threads: 0), .builtin)
    lazy var directory = DirectoryState(uids: UIDSource(seed: 0), keys: KeyLedger(assembly.configuration))
    var models: [ModelUID: ModelState] = [:]
    var publications: [ModelUID: Publication] = [:]
    var gates: [ModelUID: ClockGate] = [:]
    var checkpoints: [String: ModelImage] = [:]
    var pending: [Int: Pending] = [:]
    /// Creations that wait for another creation of the same name.
    var waiting: [Creation] = []
    /// Models that are not served.
    var unavailable: [Name: UnavailableModel] = [:]
    /// Why nothing is logged any more.
    var closed: ServingError?
    private(set) var records: [Record] = []
    /// Seconds since the scenario began.
    var now = Locked(0)
    lazy var timers = Timers { [now] in UInt64(now.withLock { $0 }) * 1_000_000_000 }
    /// Waiting pulls, by their names in the scenario.
    var pulls: [String: (publication: Publication, token: WaitToken, timer: Timer)] = [:]
    private let told = Locked<[String]>([])

    var tick: Tick { now.withLock { Tick(uptime: UInt64($0) * 1_000_000_000, time: 1000 + $0) } }

    /// Executes a line of a scenario.
    ///
    /// - Returns: The lines of its output.
    func perform(_ line: String) -> [String] {
        do {
            try perform(ScenarioCommand(line))
        } catch let error as OptimizerError {
            tell(ServingError(error).line)
        } catch {
            tell((error as? ServingError)?.line ?? "\(error)")
        }
        return told.withLock { told in
            defer { told = [] }
            return told
        }
    }

    func tell(_ line: String) { told.withLock { $0.append(line) } }

    /// The same for callbacks, which must not refer to the machine.
    var teller: @Sendable (String) -> Void { { [told] line in told.withLock { $0.append(line) } } }

    func uid(of name: String) throws -> ModelUID {
        guard let uid = directory.models.first(where: { $0.value.name == Name(name) })?.key else {
            throw ServingError.unknownModel(name, nearest: [])
        }
        return uid
    }

    // MARK: Log, then apply

    /// Decides a command; if it is to be logged, its record gets the next position.
    func decide(_ command: Command, for name: String) throws -> (ModelUID, Command, UInt64)? {
        let uid = try uid(of: name)
        switch try models[uid]?.decide(command, at: tick) {
        case .repeated(let answer): tell("again: \(answer.line)")
        case .proceed(let command):
            guard let layout = models[uid]?.layout else { return nil }
            return (uid, command, log(command.record(of: uid, in: layout)))
        case .deferred(let refusal): tell("waits for the log: \(refusal)")
        case nil: break
        }
        return nil
    }

    func submit(_ command: Command, to name: String) throws {
        guard let (uid, command, position) = try decide(command, for: name) else { return }
        apply(command, uid, at: position)
    }

    /// Adds a record to the log.
    func log(_ record: Record) -> UInt64 {
        // An update may use the gradients' memory as scratch.
        let content = record.payload.flatMap { Array($0.content) }
        records.append(Record(type: record.type, model: record.model, payload: [Bytes(copying: content)]))
        return UInt64(records.count)
    }

    /// Withdraws the last record, which could not be written.
    func unlog() { records.removeLast() }

    func apply(_ command: Command, _ uid: ModelUID, at position: UInt64) {
        tell("record \(position)\(command.sighting.map { ", seen at \($0.line)" } ?? "")")
        for effect in models[uid]?.apply(command, at: position, for: Ticket(number: position)) ?? [] {
            carryOut(effect, uid)
        }
    }

    /// Tells the clocks of workers, in mode `ssp`.
    private func openGate(of uid: ModelUID) {
        guard let state = models[uid], let gate = gates[uid] else { return }
        gate.update(state.clocks, rule: state.clockRule)
        guard state.clockRule != nil else { return }
        let clocks = state.clocks.clocks.sorted { $0.key < $1.key }
        tell("clocks: \(clocks.map { "\($0.key) \($0.value)" }.joined(separator: ", "))")
    }

    private func carryOut(_ effect: Effect, _ uid: ModelUID) {
        switch effect {
        case .publish:
            guard let state = models[uid], let publication = publications[uid] else { return }
            tell("publish: \(state.line)")
            publication.broadcastParams(optimResult: true, state.published, divergence: state.divergence).wake()
        case .event(let event, let number, _): tell("event \(number): \(event.line)")
        case .markDiverged(let parameter):
            tell("diverged: \(parameter)")
            publications[uid]?.markDiverged(parameter)
        case .startLease(let worker): models[uid]?.startLease(of: worker, at: tick)
        case .endEpoch(let epoch, let worker): tell("end of epoch \(epoch): \(worker)")
        case .reply(_, .success(let outcome)): tell("reply: \(outcome.answer.line)")
        case .reply(_, .failure(let error)): tell("reply: \(error.line)")
        case .settle(let ticket, .success(let outcome)): tell("settle record \(ticket.number): \(outcome.answer.line)")
        case .settle(let ticket, .failure(let error)): tell("settle record \(ticket.number): \(error.line)")
        case .arm(let round, let timeout):
            tell("start the clock of round \(round): \(timeout.setting.stringValue ?? "")")
        case .quorum(let round): tell("quorum of round \(round)")
        case .disarm: tell("stop the clock")
        case .openGate: openGate(of: uid)
        }
    }
}
