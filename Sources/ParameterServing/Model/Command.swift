// All that can change a model, as values. A command is checked, logged, and then applied; replaying the logged
// commands in order gives the same model to the bit.

import Names
import Optimizers

/// A change of one model.
enum Command: Sendable {
    /// Apply gradients.
    case push(Push)
    /// Replace the values of the parameters that are marked in `present`; with versions, only if it is at one of them.
    case importValues(Arena, present: [Bool], ifVersion: [Int]? = nil)
    /// Merge a patch into the settings; with versions, only if it is at one of them.
    case reconfigure(SettingsPatch, ifVersion: [Int]?)
    /// Go back to an earlier state; the version goes forward, and what workers have pushed stays known.
    case restore(Restoration)
    /// Give a worker a new epoch.
    case register(worker: Name, sighting: Sighting? = nil)
    /// Let a worker's receipts go, as its expiry would.
    case dismiss(worker: Name)
    /// Keep the answer of a request that changed files and not the model.
    case note(StoredAnswer)
    /// Carry a command out once, however often its request arrives; with versions, only if the model is at one of them
    /// as the first one arrives.
    indirect case keyed(RequestKey, ifVersion: [Int]?, Command)

    /// The command under a key; the command itself where the request has none.
    func under(_ key: RequestKey?, ifVersion: [Int]? = nil) -> Command {
        key.map { .keyed($0, ifVersion: ifVersion, self) } ?? self
    }

    /// The worker that it makes known.
    var worker: Name? {
        switch self {
        case .push(let push): push.key?.worker
        case .register(let worker, _): worker
        case .keyed(_, _, let command): command.worker
        case .importValues, .reconfigure, .restore, .dismiss, .note: nil
        }
    }

    /// Whether it is a push, under a key or not.
    var isPush: Bool {
        switch self {
        case .push: true
        case .keyed(_, _, let command): command.isPush
        case .importValues, .reconfigure, .restore, .register, .dismiss, .note: false
        }
    }

    /// Whether `ModelState.decide` has its version promised an arena.
    var isPromisedArena: Bool {
        switch self {
        case .push, .importValues: true
        case .keyed(_, _, let command): command.isPromisedArena
        case .reconfigure, .restore, .register, .dismiss, .note: false
        }
    }

    /// The command with the moment of its admission, where that matters later.
    func seen(_ sighting: Sighting) -> Command {
        switch self {
        case .push(var push):
            push.sighting = sighting
            return .push(push)
        case .register(let worker, _): return .register(worker: worker, sighting: sighting)
        case .keyed(let key, let ifVersion, let command):
            return .keyed(key, ifVersion: ifVersion, command.seen(sighting))
        case .importValues, .reconfigure, .restore, .dismiss, .note: return self
        }
    }

    /// Whether it may write parameters or slots otherwise than by an update.
    var writesValues: Bool {
        switch self {
        case .importValues, .reconfigure, .restore: true
        case .keyed(_, _, let command): command.writesValues
        case .push, .register, .dismiss, .note: false
        }
    }

    /// What the command merges into the settings; nil for one that leaves them alone.
    var patch: SettingValue? {
        switch self {
        case .reconfigure(let change, _): change.patch
        case .keyed(_, _, let command): command.patch
        case .push, .importValues, .restore, .register, .dismiss, .note: nil
        }
    }

    /// The key of its request.
    var requestKey: RequestKey? { if case .keyed(let key, _, _) = self { key } else { nil } }
}
