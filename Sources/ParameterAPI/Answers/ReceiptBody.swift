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

    /// Writes a receipt; `facts` describe its model.
    mutating func receipt(_ receipt: Receipt, of facts: ModelFacts) {
        beginObject()
        member("applied", receipt.applied)
        if let round = receipt.round { self.round(round) }
        if receipt.isUpdate { update(receipt, of: facts) } else { members(ofHeld: receipt, facts) }
        member("replayed", receipt.replayed)
        member("durable", receipt.durable)
        endObject()
    }

    /// Writes the round of a push.
    private mutating func round(_ round: RoundReceipt) {
        key("round")
        beginObject()
        member("state", round.state.word)
        member("step", round.step)
        member("received", round.received)
        if round.state == .held {
            if let needed = round.needed { member("needed", needed) }
            member("closes_in", round.closesIn?.text)
        }
        if case .dropped = round.state, let quorum = round.needed { member("quorum", quorum) }
        endObject()
    }

    /// Writes what is known of a push that is not part of an update, or not yet.
    private mutating func members(ofHeld receipt: Receipt, _ facts: ModelFacts) {
        member("step", receipt.step)
        member("version", receipt.version)
        member("staleness", receipt.staleness)
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
        member("staleness", receipt.staleness)
        if receipt.isFromLeftBranch { member("branch_left", true) }
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
        guard let round, case .dropped(let reason) = round.state else { return nil }
        return .roundDropped(reason, received: round.received, quorum: round.needed)
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
