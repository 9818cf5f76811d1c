// All errors of the journal and its snapshot files. The server maps each case to an answer or an exit code. Messages
// name files, never directories.

import Glibc

/// Why the journal refused, and the consequence for later calls.
public enum JournalError: Error, Sendable, Equatable {
    /// Another process, or another part of this one, has the directory open; nothing was changed.
    case inUse(processID: Int?)
    /// No space (ENOSPC, EDQUOT): this append changed nothing; later ones succeed once there is space.
    case outOfSpace(file: String)
    /// The disk is mounted read-only (EROFS): this append changed nothing; later ones succeed once it is writable.
    case readOnlyFileSystem(file: String)
    /// The process is out of descriptors, or the system out of memory: this append changed nothing; later ones succeed
    /// once there are some.
    case outOfResources(file: String, call: String, code: Int32)
    /// A write or sync failed. Final: nothing is written until the journal is opened again.
    case failed(file: String, call: String, code: Int32)
    /// A file was removed, moved, replaced or truncated while it was open. Final: a start would not find later writes.
    case displaced(file: String)
    /// Bytes on disk differ from what was written, at `offset` of `file`.
    case corrupted(file: String, offset: Int, reason: String)
    /// The file has a later version of this format.
    case unsupportedFormat(file: String, version: UInt32)
    /// A file or the directory cannot be opened, listed or read.
    case inaccessible(file: String, call: String, code: Int32)
    /// The caller's replay closure threw an error at this position.
    case replayRefused(position: UInt64, reason: String)
    /// The journal was closed before this call.
    case closed
}

extension JournalError: CustomStringConvertible {
    /// One sentence: what failed, where, and what to do if known.
    public var description: String {
        switch self {
        case .inUse(let processID?): "The directory is in use by process \(processID)."
        case .inUse(nil): "The directory is in use by another process."
        case .outOfSpace(let file): "No space left to write \(file)."
        case .readOnlyFileSystem(let file): "Cannot write \(file): the file system is read-only."
        case .outOfResources(let file, let call, let code): "Cannot write \(file): \(call) failed (\(message(code)))."
        case .failed(let file, let call, let code):
            "Cannot write \(file): \(call) failed (\(message(code))). Nothing more is written until a restart."
        case .displaced(let file):
            "The file \(file) was removed, moved, replaced or truncated while it was open. Nothing more is written until a restart."
        case .corrupted(let file, let offset, let reason): "The file \(file) is damaged at offset \(offset): \(reason)."
        case .unsupportedFormat(let file, let version):
            "The file \(file) has format version \(version), which this daemon does not support; start a newer one."
        case .inaccessible(let file, let call, let code):
            "Cannot open or read \(file): \(call) failed (\(message(code)))."
        case .replayRefused(let position, let reason): "Record \(position) could not be replayed: \(reason)."
        case .closed: "The journal is closed."
        }
    }
}

extension JournalError {
    /// The error for a failed write call: full and read-only disks recover, and so does a lack of descriptors or
    /// memory; everything else is final.
    init(writing file: String, _ error: SystemError) {
        switch error.code {
        case ENOSPC, EDQUOT: self = .outOfSpace(file: file)
        case EROFS: self = .readOnlyFileSystem(file: file)
        case EMFILE, ENFILE, ENOMEM: self = .outOfResources(file: file, call: error.call, code: error.code)
        default: self = .failed(file: file, call: error.call, code: error.code)
        }
    }

    init(inaccessible file: String, _ error: SystemError) {
        self = .inaccessible(file: file, call: error.call, code: error.code)
    }

    /// Whether a file to be read no longer exists.
    package var isGone: Bool {
        guard case .inaccessible(_, _, let code) = self else { return false }
        return code == ENOENT
    }

    /// Whether the process or the system lacked the resources to read a file.
    var isWant: Bool {
        guard case .inaccessible(_, _, let code) = self else { return false }
        return [EMFILE, ENFILE, ENOMEM].contains(code)
    }

    /// Whether later appends can succeed without reopening the journal.
    public var heals: Bool {
        switch self {
        case .outOfSpace, .readOnlyFileSystem, .outOfResources: true
        default: false
        }
    }
}

private func message(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "errno \(code)" }
    return String(cString: text)
}
