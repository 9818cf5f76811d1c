// What happens when a body is complete: parsing what was collected, checks, checksums. Of a long body that takes milliseconds,
// which the network threads do not have.

import HTTPServing
import ParameterServing

extension Call {
    /// The longest body that is looked at on the network thread that read it.
    private static let shortBody = 1 << 16

    /// Does what a complete body asks for: here, or on a thread of the models where the body is long; what `body` throws is the
    /// answer.
    ///
    /// The receiver gets no further call, so that all it holds may move to the other thread.
    func finish(_ exchange: Exchange, _ body: @escaping () throws(Problem) -> Void) {
        nonisolated(unsafe) let body = body
        let run: @Sendable () -> Void = { [self] in
            do throws(Problem) { try body() } catch { answer(exchange, error) }
        }
        if request.contentLength ?? .max <= Self.shortBody { run() } else { api.registry.slices.add(run) }
    }
}
