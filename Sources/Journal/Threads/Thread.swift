// A joinable pthread that runs one closure. The journal has one.

import Glibc

/// A running thread.
final class Thread: @unchecked Sendable {
    private var handle = pthread_t()

    /// Starts the thread, or returns `nil` if the system has none to give.
    init?(_ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(Body(body))
        let status = pthread_create(
            &handle, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        if status != 0 {
            box.release()
            return nil
        }
    }

    /// Waits for the thread's end; called on the thread itself it only lets go of it.
    ///
    /// Call once.
    func join() {
        if pthread_equal(handle, pthread_self()) != 0 {
            pthread_detach(handle)
        } else {
            pthread_join(handle, nil)
        }
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}
