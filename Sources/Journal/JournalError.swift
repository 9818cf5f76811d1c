// Everything that can go wrong with the journal and its snapshot files. Callers switch over it: the server maps
// each case to an answer or an exit code. Messages name files, never directories.

import Glibc

/// Why the journal refused, and what that means for later calls.
public enum JournalError: Error, Sendable, Equatable {
    /// Another process, or another part of this one, has the directory open. Nothing was touched.
    case inUse(processID: Int?)
    /// No room (ENOSPC, EDQUOT): this append changed nothing; later ones work once there is room.
    case outOfSpace(file: String)
    /// The disk is mounted read-only (EROFS): this append changed nothing; later ones work once it is writable.
    case readOnlyFileSystem(file: String)
    /// The process has no descriptor left, or the system no memory: this append changed nothing; later ones work once
    /// there are some.
    case outOfResources(file: String, call: String, code: Int32)
    /// A write or sync failed. Final: nothing more is written until the journal is opened again.
    case failed(file: String, call: String, code: Int32)
    /// A file was removed, moved, replaced or cut short while it was open. Final: what is written to it now, no start would find.
    case displaced(file: String)
    /// Bytes on disk are not those written, at `offset` of `file`.
    case corrupted(file: String, offset: Int, reason: String)
    /// The file comes from a later version of this format.
    case unsupportedFormat(file: String, version: UInt32)
    /// A file or the directory cannot be opened, listed or read.
    case inaccessible(file: String, call: String, code: Int32)
    /// The caller's replay closure threw at the record of that position.
    case replayRefused(position: UInt64, reason: String)
    /// The journal was closed before this call.
    case closed
}

extension JournalError: CustomStringConvertible {
    /// One sentence: what failed, where, and what to do where that is known.
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
            "The file \(file) was removed, moved, replaced or cut short while it was open. Nothing more is written until a restart."
        case .corrupted(let file, let offset, let reason): "The file \(file) is damaged at offset \(offset): \(reason)."
        case .unsupportedFormat(let file, let version):
            "The file \(file) has format version \(version), which is too new for this daemon."
        case .inaccessible(let file, let call, let code):
            "Cannot open or read \(file): \(call) failed (\(message(code)))."
        case .replayRefused(let position, let reason): "Record \(position) could not be replayed: \(reason)."
        case .closed: "The journal is closed."
        }
    }
}

extension JournalError {
    /// What a failed call on the way to durable bytes means: full and read-only disks heal, and so does the want of
    /// descriptors or memory; anything else is final.
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

    /// Whether a file was not there any more when it was to be read.
    var isGone: Bool {
        guard case .inaccessible(_, _, let code) = self else { return false }
        return code == ENOENT
    }

    /// Whether the process or the system lacked what it takes to read a file.
    var isWant: Bool {
        guard case .inaccessible(_, _, let code) = self else { return false }
        return [EMFILE, ENFILE, ENOMEM].contains(code)
    }

    /// Whether later appends can succeed without opening the journal again.
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
