// Why the daemon did not start, and what to change.

import Glibc
import HTTPServing
import Journal

/// A start that failed: the message and the exit status.
struct StartFailure: Error, CustomStringConvertible {
    let status: ExitStatus
    let message: String

    var description: String { message }
}

extension StartFailure {
    /// Why a data directory cannot be opened, and what to do.
    ///
    /// - `segmentBytes`: the size of a journal file, if one is to be written.
    init(_ error: JournalError, directory: String, segmentBytes: Int? = nil) {
        switch error {
        case .inUse:
            self.init(
                status: .unavailable, message: "\(directory): \(error) Stop that daemon, or choose another --data-dir.")
        case .corrupted, .unsupportedFormat:
            self.init(
                status: .dataDamaged,
                message:
                    "\(directory): \(error) `paramd verify` lists all damage. Restore a copy of the whole directory, or drop what is missing or follows the damage with `paramd recover --salvage`."
            )
        case .replayRefused:
            self.init(
                status: .dataDamaged,
                message:
                    "\(directory): \(error) A model may need more --memory.")
        case .outOfSpace:
            let room = segmentBytes.map { "Free at least \(ByteCount(bytes: 2 * $0).rounded)" } ?? "Make room"
            self.init(status: .inputOutput, message: "\(directory): \(error) \(room), or choose another directory.")
        case .readOnlyFileSystem:
            self.init(
                status: .inputOutput, message: "\(directory): \(error) Mount it writable, or choose another directory.")
        case .failed(let thread, "pthread_create", _), .inaccessible(let thread, "pthread_create", _),
            .outOfResources(let thread, "pthread_create", _):
            self.init(
                status: .inputOutput,
                message: "\(directory): cannot start \(thread): the system refuses more threads. \(Self.moreThreads)")
        case .failed(let file, let call, let code), .inaccessible(let file, let call, let code),
            .outOfResources(let file, let call, let code):
            let reason = "cannot open or read \(file): \(call) failed (\(String(cString: strerror(code))))"
            self.init(status: .inputOutput, message: "\(directory): \(reason). \(Self.advice(onFiles: code))")
        case .closed, .displaced: self.init(status: .inputOutput, message: "\(directory): \(error)")
        }
    }

    /// Why the daemon cannot listen on an address, and what to do.
    init(_ error: HTTPServerError, _ settings: EffectiveSettings) {
        let address = "\(settings.configuration.http.address)"
        let advice =
            switch error {
            case .cannotListen(EADDRINUSE) where address.hasPrefix("unix:"):
                "The path already exists: stop the program that listens there, move the file away, or choose another path."
            case .cannotListen(let code): Self.advice(onListening: code)
            case .loopUnavailable(EMFILE), .loopUnavailable(ENFILE): "Raise the limit of open files (ulimit -n)."
            case .loopUnavailable(EAGAIN): Self.moreThreads
            case .invalidAddress where address.hasPrefix("unix:"): "Write unix:PATH with a path of at most 107 bytes."
            case .invalidAddress, .loopUnavailable, .alreadyStarted: ""
            }
        self.init(
            status: .unavailable,
            message: "\(settings.subject("listen")) \(address): \(error).\(advice.isEmpty ? "" : " ")\(advice)")
    }

    private static let moreThreads = "Raise the limit of threads (ulimit -u, or the container's limit of processes)."

    private static func advice(onFiles code: Int32) -> String {
        switch code {
        case EACCES, EPERM: "Give this user permission to read and write there, or choose another directory."
        case ENOENT: "The parent directory does not exist: create it, or choose another directory."
        case ENOTDIR, EEXIST, EISDIR: "A file of that name exists: move it away, or choose another directory."
        case EMFILE, ENFILE: "Raise the limit of open files (ulimit -n)."
        case ENOMEM: "Free memory, or raise its limit (ulimit -v, or the container's)."
        case ELOOP: "It is a symbolic link, which the daemon does not follow: replace it with the file."
        case EFBIG: "Raise the limit of file sizes (ulimit -f)."
        default: "Check the disk and its mount, or choose another directory."
        }
    }

    private static func advice(onListening code: Int32) -> String {
        switch code {
        case EADDRINUSE: "Another program already listens there: stop it, or choose another port; 0 picks a free one."
        case EADDRNOTAVAIL:
            "The host is not an address of this machine: use one that `ip address` shows, 127.0.0.1 for this machine only, or 0.0.0.0 for all."
        case EACCES, EPERM:
            "Ports below 1024 and directories of other users need privileges: choose another, such as port 8470."
        case ENOENT, ENOTDIR: "The directory of the socket does not exist: create it."
        case EAFNOSUPPORT: "This machine has no address of that family: use an IPv4 address."
        default: "Choose another address, such as 127.0.0.1:8470."
        }
    }
}
