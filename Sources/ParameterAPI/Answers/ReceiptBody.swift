// The answer to a push.

import ParameterServing
import TensorCoding

extension JSONWriter {
    /// Writes the model and version that an answer is about.
    mutating func members(of version: PublishedVersion) {
        member("step", version.step)
        member("version", version.version)
        member("cursor", "\(version.cursor)")
    }

    /// Writes the receipt of a push, or of the request that closed a round; `facts` describe its model.
    mutating func receipt(_ receipt: Receipt, of facts: ModelFacts, isDryRun: Bool = false, isOfPush: Bool = true) {
        beginObject()
        member("applied", receipt.applied)
        if isDryRun { member("dry_run", true) }
        if let round = receipt.round { self.round(round, of: facts) }
        if receipt.isUpdate { update(receipt, of: facts) } else { members(ofHeld: receipt, facts) }
        if isOfPush { warnings(about: receipt, facts) }
        member("replayed", receipt.replayed)
        member("durable", receipt.durable)
        endObject()
    }

    /// Writes the round of a push.
    mutating func round(_ round: RoundReceipt, of facts: ModelFacts) {
        key("round")
        beginObject()
        member("state", round.state.word)
        if case .dropped(let reason) = round.state { member("reason", reason.word) }
        member("step", round.step)
        member("received", round.received)
        if round.state == .held {
            if let needed = round.needed { member("needed", needed) }
            member("closes_in", round.closesIn?.text)
            if round.needed == nil { member("closes_with", "POST /v1/models/\(facts.name)/step") }
        }
        if case .dropped = round.state, let quorum = round.needed { member("quorum", quorum) }
        endObject()
    }

    /// Writes how old the gradient of a push was, and what was done about it.
    mutating func staleness(of receipt: Receipt) {
        key("staleness")
        if let staleness = receipt.staleness { integer(staleness) } else { null() }
        if let divisor = receipt.divisor { member("divisor", divisor) }
        if receipt.isFromLeftBranch { member("branch_left", true) }
    }

    /// Writes `warnings` if a push escapes the treatment of late pushes because it does not say how old it is.
    mutating func warnings(about receipt: Receipt, _ facts: ModelFacts) {
        guard receipt.staleness == nil, facts.consistency.judgesLateness else { return }
        key("warnings")
        beginArray()
        string(
            facts.consistency.hasRounds
                ? "The push has no `based_on`, so a gradient for an earlier round is not recognized. Send the `step` of the pull."
                : "The push has no `based_on`, so `max_staleness` does not apply to it. Send the `step` of the pull.")
        endArray()
    }

    /// Writes what is known of a push that is not part of an update, or not yet.
    private mutating func members(ofHeld receipt: Receipt, _ facts: ModelFacts) {
        member("step", receipt.step)
        member("version", receipt.version)
        staleness(of: receipt)
        if let scale = receipt.nextLossScale { member("loss_scale", scale) }
        if receipt.gap > 0 { member("gap", receipt.gap) }
    }

    /// Writes the update that a push made, or that was skipped.
    private mutating func update(_ receipt: Receipt, of facts: ModelFacts) {
        member("step", receipt.step)
        member("version", receipt.version)
        member("cursor", "\(Cursor(uid: facts.uid, version: receipt.version))")
        key("lr")
        beginObject()
        for (group, rate) in zip(facts.layout.groups, receipt.learningRates) { member(group.name, rate) }
        endObject()
        if let brought = receipt.hyperparameters {
            key("hyperparameters")
            setting(brought.setting)
        }
        staleness(of: receipt)
        member("grad_norm", receipt.gradientNorm)
        if let norm = receipt.clippedGradientNorm { member("clipped_grad_norm", norm) }
        member("update_ratio", receipt.updateRatio)
        if receipt.overflow { member("overflow", true) }
        if let scale = receipt.nextLossScale { member("loss_scale", scale) }
        if receipt.gap > 0 { member("gap", receipt.gap) }
        member("woken", receipt.woken)
    }
}

extension Receipt {
    /// Whether an update was made, or skipped, with the push.
    var isUpdate: Bool { round.map { $0.state == .closed } ?? true }

    /// The refusal to answer instead of the receipt of a push whose round was dropped.
    var refusal: ServingError? {
        guard let round, case .dropped = round.state else { return nil }
        return .roundDropped(round)
    }
}

extension DropReason {
    /// The word in answers.
    var word: String {
        switch self {
        case .timeout: "timeout"
        case .restored: "restored"
        case .refused: "refused"
        case .diverged: "diverged"
        case .overflow: "overflow"
        }
    }
}

extension RoundReceipt.State {
    fileprivate var word: String {
        switch self {
        case .held: "held"
        case .closed: "closed"
        case .dropped: "dropped"
        }
    }
}
