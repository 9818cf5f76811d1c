// The problem of an open round and settings that do not fit it.

import Optimizers
import ParameterServing

extension Problem {
    /// Makes the problem of a round that the settings do not fit.
    init(_ misfit: RoundMisfit) {
        let pushes = misfit.received.counted("push", "pushes")
        let brought = misfit.brought.map { " with \(Self.words(for: $0))" } ?? ""
        self.init(
            .roundMisfit,
            "The open round of step \(misfit.step) has \(pushes)\(brought), and \(Self.cause(of: misfit))",
            hint: Self.hint(for: misfit))
    }

    private static func cause(of misfit: RoundMisfit) -> String {
        switch (misfit.cause, misfit.request) {
        case (.refusal(let error), .change): "the changed settings would refuse its update: \(reason(of: error))"
        case (.refusal(let error), .closing): "the settings of the model refuse its update: \(reason(of: error))"
        case (.lossScale(let current, let changed), _):
            "the gradients were multiplied by the loss scale \(text(current)); after the change they would be divided by \(text(changed))."
        }
    }

    private static func text(_ scale: Double) -> String { SettingValue.number(scale).line ?? "\(scale)" }

    /// The first sentence of the refusal: the others tell the sender of a push what to write.
    private static func reason(of cause: OptimizerError) -> String {
        let error = ServingError(cause)
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
            "PATCH the settings so that they accept these pushes, then send the request again; otherwise the round is dropped at its deadline."
        case (.closing, false):
            "PATCH the settings so that they accept these pushes, then send the request again; or PATCH `\"consistency\":{\"mode\":\"async\"}`, which drops it."
        }
    }
}
