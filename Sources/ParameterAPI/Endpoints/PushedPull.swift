// The pull of `?pull=1`, once its push has been applied. In mode `ssp` it obeys the gate like any pull of the worker; what
// stands in its way is told beside the receipt, because the push itself counts.

import HTTPServing
import Names
import ParameterServing

/// The pull in the answer to a push.
struct PushedPull: Sendable {
    private let model: Model
    private let selection: Selection
    /// The worker of the push; nil if it has none.
    private let worker: Name?
    /// The time at which its request stops waiting, on the clock of the timers; nil if it does not wait.
    private let deadline: UInt64?

    init(_ model: Model, _ selection: Selection, worker: Name?, wait: Duration?, _ call: Call) {
        (self.model, self.selection, self.worker) = (model, selection, worker)
        deadline = wait.map { call.api.registry.configuration.timers.now + $0.nanoseconds }
    }

    /// Answers with the receipt and the parameters as soon as the worker may pull; at the end of its time, or at once if
    /// it does not wait, with the receipt and the refusal of the pull.
    func answer(_ receipt: Receipt, _ call: Call, _ exchange: Exchange) {
        guard let worker, let refusal = model.gate.refusal(of: worker) else { return pull(receipt, call, exchange) }
        guard let deadline else {
            return exchange.complete { [self] in response(receipt, without: refusal, call) }
        }
        let now = call.api.registry.configuration.timers.now
        let left = Duration.nanoseconds(Int64(deadline - min(deadline, now)))
        waitForOthers(worker, model, left, call, exchange) { [self] refusal in
            response(receipt, without: refusal, call)
        } then: { [self] _ in
            pull(receipt, call, exchange)
        }
    }

    /// Answers with the parameters, or with the reason why the model has none any more.
    private func pull(_ receipt: Receipt, _ call: Call, _ exchange: Exchange) {
        let anyVersion = PullCondition(since: nil, minStep: nil, group: nil)
        _ = model.publication.wait(for: anyVersion) { [self] result in
            switch result {
            case .version(let version):
                do throws(Problem) {
                    try PullAnswer(call, version, selection).complete(exchange, receipt: receipt)
                } catch {
                    // A restore has just taken away what was selected.
                    exchange.complete { [self] in response(receipt, without: error, call) }
                }
            case .ended(let error): exchange.complete { [self] in response(receipt, without: error, call) }
            }
        }
    }

    private func response(_ receipt: Receipt, without refusal: ServingError, _ call: Call) -> Response {
        response(receipt, without: Problem(refusal), call)
    }

    private func response(_ receipt: Receipt, without problem: Problem, _ call: Call) -> Response {
        call.answer(receipt, of: model.publication.current, without: problem)
    }
}
