// How the daemon ends, after sysexits.h, so that a supervisor can tell a typo from a broken disk.

/// Exit statuses of the daemon.
enum ExitStatus: Int32 {
    /// The command line is refused.
    case usage = 64
    /// The data directory holds damaged files.
    case dataDamaged = 65
    /// The address cannot be listened on, or the data directory is in use.
    case unavailable = 69
    /// The disk cannot be read or written.
    case inputOutput = 74
    /// The configuration is refused.
    case configuration = 78
    /// A second signal cut the drain short.
    case forced = 130
}
