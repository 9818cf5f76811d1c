// The epoll set of a loop and the eventfd that wakes it. Knows descriptors only, not what they are for.

import CMicroHTTPD
import Glibc

/// An epoll set with a bell.
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

    /// Takes a descriptor out.
    func remove(_ descriptor: Int32) {
        var event = epoll_event()
        epoll_ctl(set, EPOLL_CTL_DEL, descriptor, &event)
    }

    /// Ends the present or the next wait; callable from any thread.
    func wake() {
        var one: UInt64 = 1
        write(bell, &one, MemoryLayout<UInt64>.size)
    }

    /// Waits for events.
    ///
    /// - Returns: the descriptors with events other than plain readability: their peers have left.
    func wait(milliseconds: Int32) -> [Int32] {
        let count = epoll_wait(set, &events, Int32(events.count), milliseconds)
        guard count > 0 else { return [] }
        var gone: [Int32] = []
        for event in events.prefix(Int(count)) {
            if event.data.fd == bell {
                var value: UInt64 = 0
                read(bell, &value, MemoryLayout<UInt64>.size)
            } else if event.events & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
                gone.append(event.data.fd)
            }
        }
        return gone
    }
}
