// All changes of a model, as values. A command is checked, logged and then applied; replaying the logged commands in
// order gives the same model to the bit.

import Names
import Optimizers

/// A change of one model.
enum Command: Sendable {
    /// Apply gradients.
    case push(Push)
    /// Settle the open round.
    case closeRound(RoundClosing)
    /// Replace the values of the parameters marked in `present`; with versions, only if the model is at one of them.
    case importValues(Arena, present: [Bool], ifVersion: [Int]? = nil)
    /// Merge a patch into the settings; with versions, only if the model is at one of them.
    case reconfigure(SettingsPatch, ifVersion: [Int]?)
    /// Add parameters and rows; with versions, only if the model is at one of them.
    case grow(Growth, ifVersion: [Int]?)
    /// Restore an earlier state; the version still rises, and the workers' pushes stay known.
    case restore(Restoration)
    /// Start a new epoch of a worker.
    case register(Registration, sighting: Sighting? = nil)
    /// End registrations whose leases have run out.
    case endLeases([EndedLease])
    /// Delete a worker's receipts, as its expiry would.
    case dismiss(worker: Name)
    /// Store the answer of a request that changed files and not the model; followers hear of a saved checkpoint.
    case note(StoredAnswer)
    /// Record metrics that a client reports.
    case report(Report)
    /// Execute a command once, however often its request arrives; with versions, only if the model is at one of them
    /// when the first one arrives.
    indirect case keyed(RequestKey, ifVersion: [Int]?, Command)
    /// A command that has no sighting, with the time of its admission in seconds since 1970; records of earlier
    /// releases do not have it.
    indirect case admitted(Command, at: Int)

    /// The command under a key; the command itself if the request has none.
    func under(_ key: RequestKey?, ifVersion: [Int]? = nil) -> Command {
        key.map { .keyed($0, ifVersion: ifVersion, self) } ?? self
    }

    /// The worker that it registers or that pushes with it.
    var worker: Name? {
        switch self {
        case .push(let push): push.key?.worker
        case .register(let registration, _): registration.worker
        case .keyed(_, _, let command), .admitted(let command, _): command.worker
        case .closeRound, .importValues, .reconfigure, .grow, .restore, .endLeases, .dismiss, .note, .report: nil
        }
    }

    /// The key of the push.
    var pushKey: PushKey? { push?.key }

    /// Whether `ModelState.forecast` contains it, with or without a key.
    var isForecast: Bool {
        switch self {
        case .push, .closeRound, .register, .endLeases, .dismiss: true
        case .keyed(_, _, let command), .admitted(let command, _): command.isForecast
        case .importValues, .reconfigure, .grow, .restore, .note, .report: false
        }
    }

    /// Whether `ModelState.decide` promises an arena for its version.
    var isPromisedArena: Bool {
        switch self {
        case .push, .closeRound, .importValues: true
        case .keyed(_, _, let command), .admitted(let command, _): command.isPromisedArena
        case .reconfigure, .grow, .restore, .register, .endLeases, .dismiss, .note, .report: false
        }
    }

    /// The command with the time of its admission.
    func seen(_ sighting: Sighting) -> Command {
        switch self {
        case .push(var push):
            push.sighting = sighting
            return .push(push)
        case .register(let registration, _): return .register(registration, sighting: sighting)
        case .report(var report):
            report.sighting = sighting
            return .report(report)
        case .keyed(let key, let ifVersion, let command):
            return .keyed(key, ifVersion: ifVersion, command.seen(sighting))
        case .closeRound, .importValues, .reconfigure, .grow, .restore, .endLeases, .dismiss, .note:
            return .admitted(self, at: sighting.time)
        case .admitted(let command, _): return command.seen(sighting)
        }
    }

    /// When it was admitted; nil if its record does not say.
    var time: Int? {
        switch self {
        case .push(let push): push.sighting?.time
        case .register(_, let sighting): sighting?.time
        case .report(let report): report.sighting?.time
        case .keyed(let key, _, let command): command.time ?? key.arrival
        case .admitted(_, let time): time
        case .closeRound, .importValues, .reconfigure, .grow, .restore, .endLeases, .dismiss, .note: nil
        }
    }

    /// Whether it may write parameters or slots other than by an update.
    var writesValues: Bool {
        switch self {
        case .importValues, .reconfigure, .grow, .restore: true
        case .keyed(_, _, let command), .admitted(let command, _): command.writesValues
        case .push, .closeRound, .register, .endLeases, .dismiss, .note, .report: false
        }
    }

    /// The patch that it merges into the settings; nil if it changes none.
    var patch: SettingValue? {
        switch self {
        case .reconfigure(let change, _): change.patch
        case .keyed(_, _, let command), .admitted(let command, _): command.patch
        case .push, .closeRound, .importValues, .grow, .restore, .register, .endLeases, .dismiss, .note, .report: nil
        }
    }

    /// Whether its values are in the places of a model's parameters, so that it must wait for a change of the layout.
    var isPlaced: Bool {
        switch self {
        case .push, .importValues, .restore: true
        case .keyed(_, _, let command), .admitted(let command, _): command.isPlaced
        case .closeRound, .reconfigure, .grow, .register, .endLeases, .dismiss, .note, .report: false
        }
    }

    /// Whether it gives a model whose parameters are placed like this another layout.
    func changesLayout(of placement: Placement) -> Bool {
        switch self {
        case .grow: true
        case .reconfigure(let patch, _): patch.placesParameters
        case .restore(let restoration): restoration.placement.map { $0 != placement } ?? false
        case .keyed(_, _, let command), .admitted(let command, _): command.changesLayout(of: placement)
        case .push, .importValues, .closeRound, .register, .endLeases, .dismiss, .note, .report: false
        }
    }

    /// The push that it applies.
    var push: Push? {
        switch self {
        case .push(let push): push
        case .keyed(_, _, let command), .admitted(let command, _): command.push
        case .closeRound, .importValues, .reconfigure, .grow, .restore, .register, .endLeases, .dismiss, .note, .report:
            nil
        }
    }

    /// The key of its request.
    var requestKey: RequestKey? { if case .keyed(let key, _, _) = self { key } else { nil } }
}
