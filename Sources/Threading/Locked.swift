// A pthread mutex around a value. `Synchronization.Mutex` would be shorter, but the thread sanitizer cannot see it.
// Used by every type that threads share; held for a few instructions, never over I/O, decoding or encoding.

import Glibc

/// A value that can only be reached while its lock is held.
///
/// The lock is not recursive. The value must not be a bare closure, optional or not: each access would wrap it once more,
/// until a call overflows the stack. Put the closure into a struct.
public final class Locked<Value>: @unchecked Sendable {
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
    @usableFromInline var value: Value

    /// Protects a value with its own lock.
    public init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the value while holding the lock.
    @inlinable
    public func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Runs `body` until it returns a result, waiting on `condition` in between.
    @inlinable
    public func wait<Result>(for condition: Condition, _ body: (inout Value) -> Result?) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&value) { return result }
            if !simulateWaiting() { pthread_cond_wait(condition.pointer, mutex) }
        }
    }

    /// As above, but returns nil once the monotonic clock reaches `deadline`.
    @inlinable
    public func wait<Result>(
        for condition: Condition, until deadline: UInt64, _ body: (inout Value) -> Result?
    ) -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        while true {
            if let result = body(&value) { return result }
            if simulateWaiting() {
                if Clock.now >= deadline { return body(&value) }
            } else if pthread_cond_timedwait(condition.pointer, mutex, &time) == ETIMEDOUT {
                return body(&value)
            }
        }
    }

    /// In a simulation, lets the other loops run instead of sleeping.
    @usableFromInline
    func simulateWaiting() -> Bool {
        #if DEBUG
            guard let simulation = Simulation.current else { return false }
            pthread_mutex_unlock(mutex)
            simulation.wait()
            pthread_mutex_lock(mutex)
            return true
        #else
            return false
        #endif
    }
}

/// A condition variable for one `Locked` value.
///
/// It uses the monotonic clock, so changes of the wall clock have no effect.
public final class Condition: @unchecked Sendable {
    @usableFromInline let pointer: UnsafeMutablePointer<pthread_cond_t>

    /// Makes a condition without waiting threads.
    public init() {
        pointer = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(pointer, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(pointer)
        pointer.deallocate()
    }

    /// Wakes one waiting thread.
    public func signal() { pthread_cond_signal(pointer) }

    /// Wakes all waiting threads.
    public func broadcast() { pthread_cond_broadcast(pointer) }
}
