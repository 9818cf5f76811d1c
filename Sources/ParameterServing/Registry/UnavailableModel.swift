// A model that is in the directory and cannot be served. Its files and records are kept, its name is taken, and every
// request for it is told why: the trouble of one model must not keep the others away.

/// A model that the daemon does not serve.
public struct UnavailableModel: Sendable, Equatable {
    /// Why it is not served.
    public enum Reason: Sendable, Equatable {
        /// The start was told to leave it out.
        case leftOut
        /// A rule ended the process in an update of it.
        case crashed(RuleCrash)
        /// This daemon cannot build it; the reason in words.
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
