// How the daemon ends, after sysexits.h, so that a supervisor can tell a typo from a broken disk.

import Journal

/// Exit statuses of the daemon.
enum ExitStatus: Int32 {
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

/// A start that failed: what to tell, and the status to exit with.
struct StartFailure: Error, CustomStringConvertible {
    let status: ExitStatus
    let message: String

    var description: String { message }
}

extension StartFailure {
    /// What a data directory that cannot be opened means, with the way out.
    init(_ error: JournalError, directory: String) {
        switch error {
        case .inUse:
            self.init(
                status: .unavailable, message: "\(directory): \(error) Stop that daemon, or choose another --data-dir.")
        case .corrupted, .unsupportedFormat:
            self.init(
                status: .dataDamaged,
                message:
                    "\(directory): \(error) `paramd verify` lists all damage; `paramd recover --salvage` gives up what follows it."
            )
        case .replayRefused:
            self.init(
                status: .dataDamaged,
                message:
                    "\(directory): \(error) A model may need more --memory, or an optimizer that this daemon lacks.")
        case .outOfSpace, .readOnlyFileSystem, .failed, .inaccessible, .closed:
            self.init(status: .inputOutput, message: "\(directory): \(error)")
        }
    }
}
