// A failed system call as a value. The FileSystem throws these; SegmentLog and the snapshot files turn them into
// JournalErrors, which know the file and what follows from the failure.

import Glibc

/// One failed call: which, and the errno it left.
package struct SystemError: Error, Sendable, Equatable {
    /// The call as the manual names it, such as `pwritev`.
    package let call: String
    /// The errno.
    package let code: Int32

    package init(_ call: String, _ code: Int32) {
        self.call = call
        self.code = code
    }
}
