// The problem of a round with fewer pushes than its reduction needs to leave out wrong ones.

import Optimizers

extension Problem {
    /// Makes the problem of a request that would close a round of so many pushes.
    init(pushes: Int, tooFewFor reduction: Reduction) {
        let argument = if case .krum = reduction { "byzantine" } else { "trim" }
        self.init(
            .tooFewPushes, "The open round has \(pushes.counted("push", "pushes")), and \(reduction.need).",
            hint:
                "Send the request again when there are as many. To apply the round without this protection, first PATCH `{\"consistency\":{\"reduce\":\"mean\",\"\(argument)\":null}}`."
        )
    }
}
