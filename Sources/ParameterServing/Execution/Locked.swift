// A pthread mutex around a value. `Synchronization.Mutex` would be shorter, but the thread sanitizer cannot see it,
// and a suite that the sanitizer cannot judge proves little. Used by every type here that several threads share.

import Glibc

/// A value that is only reachable while its lock is held.
///
/// The lock is not recursive. Keep the body short: no I/O, no encoding, no calls out.
final class Locked<Value>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the value while holding the lock.
    func withLock<Result, Failure: Error>(_ body: (inout Value) throws(Failure) -> Result) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Runs `body` and waits on `condition` until `body` gives a result.
    func wait<Result>(for condition: Condition, _ body: (inout Value) -> Result?) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&value) { return result }
            pthread_cond_wait(condition.pointer, mutex)
        }
    }
}

/// A condition variable to be used with one `Locked` value.
final class Condition: @unchecked Sendable {
    fileprivate let pointer: UnsafeMutablePointer<pthread_cond_t>

    init() {
        pointer = .allocate(capacity: 1)
        pthread_cond_init(pointer, nil)
    }

    deinit {
        pthread_cond_destroy(pointer)
        pointer.deallocate()
    }

    /// Wakes one waiting thread.
    func signal() { pthread_cond_signal(pointer) }

    /// Wakes all waiting threads.
    func broadcast() { pthread_cond_broadcast(pointer) }
}
