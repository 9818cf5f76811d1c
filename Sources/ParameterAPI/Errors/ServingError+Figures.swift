// The figures of refusals as members of their problem documents, so that programs need not read the texts.
// RFC 9457, section 3.2, calls them extension members.

import Names
import Optimizers
import ParameterServing

extension ServingError {
    /// The members that the problem document has for this refusal, in order; api/openapi.yaml lists them.
    var figures: [SettingValue.Entry] {
        switch self {
        case .basedOnFuture(let basedOn, let step):
            Self.integers([("based_on", basedOn), ("step", step)])
        case .roundClosed(let basedOn, let step, let branch):
            Self.integers([("based_on", basedOn), ("step", step)]) + (branch?.figures ?? [])
        case .tooStale(let staleness, let limit, let step, let branch):
            Self.integers([
                ("staleness", staleness), ("limit", limit), ("step", step),
                ("based_on", branch?.step ?? step - staleness),
            ]) + (branch?.figures ?? [])
        case .alreadyInRound(let worker, let step, let received, let needed):
            [
                Self.worker(worker),
                Self.round(Self.integers([("step", step), ("received", received), ("needed", needed)])),
            ]
        case .otherHyperparameters(_, let those):
            [Self.round([SettingValue.Entry(key: "hyperparameters", value: those?.setting ?? .null)])]
        case .roundMisfit(let misfit): [Self.round(misfit.figures)]
        case .tooFewPushes(let step, let received, let reduction):
            [Self.round(Self.integers([("step", step), ("received", received), ("quorum", reduction.leastPushes)]))]
        case .roundFull(let pushes, let limit): Self.integers([("received", pushes), ("limit", limit)])
        case .roundDropped(let round): [Self.round(round.figures)]
        case .tooFarAhead(let worker, let clock, let slowest, let wanted):
            [Self.worker(worker)] + Self.integers([("clock", clock), ("slowest", slowest), ("wait_for", wanted)])
        case .fenced(let worker, let epoch, let current, let hasEnded):
            [Self.worker(worker)] + Self.integers([("epoch", epoch), ("current_epoch", current)])
                + [SettingValue.Entry(key: "has_ended", value: .boolean(hasEnded))]
        default: []
        }
    }

    private static func worker(_ name: Name) -> SettingValue.Entry {
        SettingValue.Entry(key: "worker", value: .string(name.text))
    }

    private static func round(_ members: [SettingValue.Entry]) -> SettingValue.Entry {
        SettingValue.Entry(key: "round", value: .object(members))
    }

    fileprivate static func integers(_ members: [(Name, Int)]) -> [SettingValue.Entry] {
        members.map { SettingValue.Entry(key: $0.0, value: .integer($0.1)) }
    }
}

extension LeftBranch {
    /// The members that say that it was left.
    fileprivate var figures: [SettingValue.Entry] {
        [SettingValue.Entry(key: "branch_left", value: .boolean(true))]
            + ServingError.integers([("returned_to", returnedTo)])
    }
}

extension RoundMisfit {
    /// The members of the round.
    fileprivate var figures: [SettingValue.Entry] {
        ServingError.integers([("step", step), ("received", received)])
            + [SettingValue.Entry(key: "hyperparameters", value: brought?.setting ?? .null)]
    }
}

extension RoundReceipt {
    /// The members of a round that was dropped.
    fileprivate var figures: [SettingValue.Entry] {
        guard case .dropped(let reason) = state else { return [] }
        let counts = [("step", step), ("received", received)] + (needed.map { [("quorum", $0)] } ?? [])
        let time = waited.map { [SettingValue.Entry(key: "waited", value: .string($0.text))] } ?? []
        return [SettingValue.Entry(key: "reason", value: .string(reason.word))]
            + ServingError.integers(counts.map { (Name($0.0), $0.1) }) + time
    }
}
