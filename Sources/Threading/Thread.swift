// A dedicated thread, for work that blocks in system calls, which Swift's cooperative threads must not do.

import Glibc

/// A running thread, to be joined or detached.
public struct Thread: @unchecked Sendable {
    private let handle: pthread_t

    /// Starts a thread with a stack of 1 MiB that runs `body`; nil if the system refuses.
    public init?(_ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 1 << 20)
        let work = Unmanaged.passRetained(Work(body))
        var handle = pthread_t()
        let result = Self.blockingSignals {
            pthread_create(
                &handle, &attributes,
                { context in
                    context.map { Unmanaged<Work>.fromOpaque($0).takeRetainedValue().body() }
                    return nil
                }, work.toOpaque())
        }
        guard result == 0 else {
            work.release()
            return nil
        }
        self.handle = handle
    }

    /// Waits for the thread to end.
    ///
    /// On the thread itself it only detaches.
    ///
    /// Call it once.
    public func join() {
        if pthread_equal(handle, pthread_self()) != 0 { pthread_detach(handle) } else { pthread_join(handle, nil) }
    }

    /// Detaches the thread.
    ///
    /// Call it instead of `join`.
    public func detach() { pthread_detach(handle) }

    /// Signals that report a fault of the thread itself.
    ///
    /// If they were blocked, they would end the process without a handler.
    public static let faults = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS]

    /// Runs `body` with all other signals blocked: a thread created in it leaves signals to the threads that wait for
    /// them.
    private static func blockingSignals(_ body: () -> Int32) -> Int32 {
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        for fault in faults { sigdelset(&all, fault) }
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        return body()
    }

    private final class Work {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
