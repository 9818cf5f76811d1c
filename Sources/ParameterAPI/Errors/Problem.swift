// Every answer that is not a success is one of these: RFC 9457 problem details. It is data until `Problem+Response`
// writes it; no text is ever searched or taken apart again.

import Names

/// An error as the client sees it.
struct Problem: Error {
    /// One thing that is wrong with the request's content.
    struct Item {
        /// JSON pointer into the body; empty for the whole.
        var pointer: String
        var detail: String
        var expected: Finding?
        var got: Finding?
    }

    /// What became of a request that meant to change something.
    enum Outcome {
        /// Nothing was applied; the answer to a write says so.
        case nothingApplied
        /// Whether it was applied is told elsewhere: `what` says where.
        case told
    }

    /// Which kind; its page is served at `/problems/<slug>`.
    var kind: ProblemKind
    /// What is wrong, in a sentence that names the value.
    var what: String
    /// What to do about it, in sentences of their own.
    var hint: String?
    /// A line for the shell that does it.
    var command: String?
    /// What became of the request.
    var outcome: Outcome
    /// The places in the body, where there are any.
    var items: [Item] = []
    /// The exception that MindSpore raises for the same mistake.
    var exception: String?
    /// Seconds after which another try may succeed.
    var retryAfter: Int?
    /// Bytes of memory that were wanting.
    var wantedRoom = 0
    /// Whose bodies have to give them; nil for anybody's.
    var payer: String?
    /// Methods that the path knows, for 405.
    var allow: [String] = []
    /// The size of the file that was asked for, for 416.
    var fileSize: Int?

    init(_ kind: ProblemKind, _ what: String, hint: String? = nil, command: String? = nil) {
        self.kind = kind
        self.what = what
        self.hint = hint
        self.command = command
        self.outcome = kind.outcome
    }
}
