// The epoll set of a loop and the eventfd that wakes it. Knows descriptors, but not their purpose.

import CMicroHTTPD
import Glibc

/// An epoll set with an eventfd.
final class Poller: @unchecked Sendable {
    private let set: Int32
    private let bell: Int32
    private var events = [epoll_event](repeating: epoll_event(), count: 256)

    init() throws(HTTPServerError) {
        set = epoll_create1(Int32(EPOLL_CLOEXEC))
        bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard set >= 0, bell >= 0, add(bell, events: EPOLLIN.rawValue) else { throw .loopUnavailable(errno) }
    }

    deinit {
        close(bell)
        close(set)
    }

    /// Adds a descriptor.
    func add(_ descriptor: Int32, events: UInt32) -> Bool {
        var event = epoll_event(events: events, data: epoll_data_t(fd: descriptor))
        return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) == 0
    }

    /// Ends the current or the next wait; any thread may call it.
    func wake() {
        var one: UInt64 = 1
        write(bell, &one, MemoryLayout<UInt64>.size)
    }

    /// Adds a connection, watched only for the end of its peer, reported once; it leaves the set when it is closed.
    func watch(_ descriptor: Int32) {
        _ = add(descriptor, events: EPOLLRDHUP.rawValue | EPOLLET.rawValue)
    }

    /// The state of a peer.
    struct Ending {
        let descriptor: Int32
        /// Whether the peer cannot receive an answer either.
        let isGone: Bool
    }

    /// Waits for events.
    ///
    /// - Returns: the connections whose peers send nothing more.
    func wait(milliseconds: Int32) -> [Ending] {
        let count = epoll_wait(set, &events, Int32(events.count), milliseconds)
        guard count > 0 else { return [] }
        var endings: [Ending] = []
        for event in events.prefix(Int(count)) {
            if event.data.fd == bell {
                var value: UInt64 = 0
                read(bell, &value, MemoryLayout<UInt64>.size)
            } else if event.events & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
                let isGone = event.events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
                endings.append(Ending(descriptor: event.data.fd, isGone: isGone))
            }
        }
        return endings
    }
}
