// Answers to refusals, made once: refusing must cost the server less than a flood of malformed requests costs its
// sender.

import Threading

/// The answers of earlier refusals.
final class RefusalCache: Sendable {
    /// Longer answers contain the client's input and are not cached.
    private static let longestAnswer = 2_048

    private let make: @Sendable (Refusal) -> Response
    private let answers = Locked([Refusal: Response]())

    /// Makes a cache of the answers of `make`.
    init(_ make: @escaping @Sendable (Refusal) -> Response) { self.make = make }

    /// The answer to a refusal.
    func response(to refusal: Refusal) -> Response {
        if let known = answers.withLock({ $0[refusal] }) { return known }
        let response = make(refusal)
        guard response.body.count <= Self.longestAnswer else { return response }
        answers.withLock { answers in
            if answers.count >= HTTPConfiguration.keptRefusals { answers = [:] }
            answers[refusal] = response
        }
        return response
    }
}
