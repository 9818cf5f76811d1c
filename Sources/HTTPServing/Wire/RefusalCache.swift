// Answers to refusals, made once: whoever floods a server with malformed requests is to have it cheaper than to send them.

import Threading

/// The answers of refusals that have come before.
final class RefusalCache: Sendable {
    private static let mostAnswers = 256
    /// Longer answers hold what a client has sent, and are not kept.
    private static let longestAnswer = 2_048

    private let make: @Sendable (Refusal) -> Response
    private let answers = Locked([Refusal: Response]())

    /// Keeps what `make` makes.
    init(_ make: @escaping @Sendable (Refusal) -> Response) { self.make = make }

    /// The answer of a refusal.
    func response(to refusal: Refusal) -> Response {
        if let known = answers.withLock({ $0[refusal] }) { return known }
        let response = make(refusal)
        guard response.body.count <= Self.longestAnswer else { return response }
        answers.withLock { answers in
            if answers.count >= Self.mostAnswers { answers = [:] }
            answers[refusal] = response
        }
        return response
    }
}
