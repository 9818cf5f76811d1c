// The problem of an open round and settings that refuse its update.

import Optimizers
import ParameterServing

extension Problem {
    /// Makes the problem of a round that the settings refuse.
    init(_ misfit: RoundMisfit) {
        let pushes = misfit.received.counted("push", "pushes")
        let brought = misfit.brought.map { " with \(Self.words(for: $0))" } ?? ""
        let refuse =
            switch misfit.request {
            case .change: "the changed settings would refuse its update"
            case .closing: "the settings of the model refuse its update"
            }
        self.init(
            .roundMisfit,
            "The open round of step \(misfit.step) has \(pushes)\(brought), and \(refuse): \(Self.cause(of: misfit))",
            hint: Self.hint(for: misfit))
    }

    /// The first sentence of the refusal: the others tell the sender of a push what to write.
    private static func cause(of misfit: RoundMisfit) -> String {
        let error = ServingError(misfit.cause)
        guard case .invalid = error else { return Problem(error).detail(isWrite: false) }
        let first = error.reason.split(separator: ". ", maxSplits: 1).first ?? ""
        return first.hasSuffix(".") ? String(first) : "\(first)."
    }

    private static func hint(for misfit: RoundMisfit) -> String {
        switch (misfit.request, misfit.hasDeadline) {
        case (.change, true):
            "Close the round with POST .../step, or wait for its deadline; then send the request again."
        case (.change, false): "Close the round with POST .../step, then send the request again."
        case (.closing, true):
            "PATCH the settings so that they accept these pushes, then close the round; otherwise it is dropped at its deadline."
        case (.closing, false):
            "PATCH the settings so that they accept these pushes, then close the round; or PATCH `\"consistency\":{\"mode\":\"async\"}`, which drops it."
        }
    }
}
