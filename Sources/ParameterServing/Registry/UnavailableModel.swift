// A model in the directory that cannot be served. Its files, records and name are kept, and every request for it gets
// the reason: a problem with one model must not affect the others.

/// A model that the daemon does not serve.
public struct UnavailableModel: Sendable, Equatable {
    /// Why it is not served.
    public enum Reason: Sendable, Equatable {
        /// Excluded by --without-model.
        case leftOut
        /// A rule crashed in one of its updates.
        case crashed(RuleCrash)
        /// This daemon cannot build it, for the given reason.
        case refused(String)
    }

    /// Its name.
    public let name: String
    /// Its uid.
    public let uid: ModelUID
    /// Why it is not served.
    public let reason: Reason

    /// Why it is not served, and what to do.
    public var explanation: String {
        switch reason {
        case .leftOut:
            "The daemon was started with --without-model \(name); start it without that flag to serve the model."
        case .crashed(let crash):
            """
            The rule \(crash.rule) crashed in the update to step \(crash.step). Correct the rule and start the new \
            build, which repeats the update, or DELETE the model.
            """
        case .refused(let detail):
            "This daemon cannot build it: \(detail) Start a daemon that has what the model needs, or DELETE the model."
        }
    }
}
