// All error answers: RFC 9457 problem details. A problem is data until `Problem+Response` writes it; no text is ever
// searched or parsed.

import Names

/// An error as seen by the client.
struct Problem: Error {
    /// One mistake in the request's content.
    struct Item {
        /// JSON pointer into the body; empty for the whole body.
        var pointer: String
        var detail: String
        var expected: Finding?
        var got: Finding?
    }

    /// What happened to a request that intended a change.
    enum Outcome {
        /// Nothing was applied; the answer to a write says so.
        case nothingApplied
        /// It may have been applied; `what` explains.
        case told
    }

    /// The kind; its page is served at `/problems/<slug>`.
    var kind: ProblemKind
    /// What is wrong, in a sentence with the value.
    var what: String
    /// What to do about it.
    var hint: String?
    /// A shell command that does it.
    var command: String?
    /// What happened to the request.
    var outcome: Outcome
    /// The places in the body, if there are any.
    var items: [Item] = []
    /// The exception that MindSpore raises for the same mistake.
    var exception: String?
    /// The number of seconds after which to retry.
    var retryAfter: Int?
    /// The bytes of memory that were missing.
    var wantedRoom = 0
    /// The payer whose bodies must make room; nil for any.
    var payer: String?
    /// The methods that the path supports, for 405.
    var allow: [String] = []
    /// The size of the requested file, for 416.
    var fileSize: Int?

    init(_ kind: ProblemKind, _ what: String, hint: String? = nil, command: String? = nil) {
        self.kind = kind
        self.what = what
        self.hint = hint
        self.command = command
        self.outcome = kind.outcome
    }
}
