// Exit statuses after sysexits.h, so that a supervisor can tell a typing mistake from a broken disk.

/// Exit statuses of the daemon.
enum ExitStatus: Int32 {
    /// The command line is invalid.
    case usage = 64
    /// The data directory contains damaged files.
    case dataDamaged = 65
    /// The daemon cannot listen on the address, or the data directory is in use.
    case unavailable = 69
    /// The disk cannot be read or written.
    case inputOutput = 74
    /// The configuration is invalid.
    case configuration = 78
    /// A second signal interrupted the drain.
    case forced = 130
}
