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
        member("step", receipt.step)
        member("version", receipt.version)
        member("cursor", "\(Cursor(uid: facts.uid, version: receipt.version))")
        key("lr")
        beginObject()
        for (group, rate) in zip(facts.layout.groups, receipt.learningRates) { member(group.name, rate) }
        endObject()
        member("staleness", receipt.staleness)
        if receipt.isFromLeftBranch { member("branch_left", true) }
        member("grad_norm", receipt.gradientNorm)
        if let norm = receipt.clippedGradientNorm { member("clipped_grad_norm", norm) }
        member("update_ratio", receipt.updateRatio)
        if receipt.overflow { member("overflow", true) }
        if let scale = receipt.nextLossScale { member("loss_scale", scale) }
        if receipt.gap > 0 { member("gap", receipt.gap) }
        member("woken", receipt.woken)
        member("replayed", receipt.replayed)
        member("durable", receipt.durable)
        endObject()
    }
}
