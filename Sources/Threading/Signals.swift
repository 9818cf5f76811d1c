// Signals as values that a thread reads: a handler may do almost nothing, so it only writes into a pipe.

import Glibc

private let pipeEnds: (reading: Int32, writing: Int32) = {
    var ends: [Int32] = [-1, -1]
    pipe(&ends)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
}()

/// The signals that the process has caught.
public enum Signals {
    /// Catches these signals from now on.
    public static func watch(for numbers: some Sequence<Int32>) {
        _ = pipeEnds
        for number in numbers {
            signal(number) { number in
                let before = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = Glibc.write(pipeEnds.writing, &byte, 1)
                errno = before
            }
        }
    }

    /// Waits for a signal and returns its number.
    public static func next() -> Int32 {
        while true {
            var byte: UInt8 = 0
            if read(pipeEnds.reading, &byte, 1) == 1 { return Int32(byte) }
        }
    }
}
