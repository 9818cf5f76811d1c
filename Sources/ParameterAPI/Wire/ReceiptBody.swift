// The answer to a push.

import ParameterServing
import TensorCoding

extension JSONWriter {
    /// Writes a receipt; `groups` are the names that its rates belong to.
    mutating func receipt(_ receipt: Receipt, groups: [String]) {
        beginObject()
        member("applied", receipt.applied)
        member("step", receipt.step)
        member("version", receipt.version)
        key("lr")
        beginObject()
        for (group, rate) in zip(groups, receipt.learningRates) { member(group, rate) }
        endObject()
        member("staleness", receipt.staleness)
        member("grad_norm", receipt.gradientNorm)
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
