// Every answer that is not a success is one of these: RFC 9457 problem details. The text says what to change.

/// An error as the client sees it.
struct Problem: Error {
    /// One thing that is wrong with the request's content.
    struct Item {
        /// JSON pointer into the body; empty for the whole.
        var pointer: String
        var detail: String
        var expected: String?
        var got: String?
    }

    /// Which kind; its page is served at `/problems/<slug>`.
    var kind: ProblemKind
    /// One sentence that says what to change and that nothing was applied.
    var detail: String
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

    init(_ kind: ProblemKind, _ detail: String) {
        self.kind = kind
        self.detail = detail
    }
}
