// A failed system call as a value. The FileSystem throws it; SegmentLog and the snapshot files convert it to a
// JournalError with the file and the consequence.

import Glibc

/// One failed call and its errno.
package struct SystemError: Error, Sendable, Equatable {
    /// The call's name in the manual, such as `pwritev`.
    package let call: String
    /// The errno.
    package let code: Int32

    package init(_ call: String, _ code: Int32) {
        self.call = call
        self.code = code
    }
}
