// Input that libmicrohttpd cannot parse. It would send an HTML page; instead it notifies the loop, which answers like
// any other refusal. On the loop's thread, inside MHD_run.

import CHTTPFailures
import CMicroHTTPD
import Glibc

extension EventLoop {
    /// Reports the library's failures on this thread to this loop.
    func watchFailures() {
        http_watch_failures(
            { context, handle, status in
                guard let context, let handle else { return }
                Unmanaged<EventLoop>.fromOpaque(context).takeUnretainedValue().failed(handle, status: status)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Answers instead of the library, which finds the sending side closed and closes the connection.
    private func failed(_ handle: OpaquePointer, status: UInt32) {
        guard let connection = connections[http_connection_descriptor(handle)] else { return }
        if case .lingering = connection.stage { return }
        let response = configuration.render(refusal(ofStatus: status))
        counters.count(response)
        EarlyAnswer(response).send(to: connection.descriptor)
        connection.discardUnread()
        connection.stage = .held
    }

    /// The refusal that corresponds to the library's status.
    private func refusal(ofStatus status: UInt32) -> Refusal {
        switch status {
        case 413: .uncountable
        case 414: .targetTooLong(limit: configuration.maximumTargetBytes)
        case 431, 500: .headTooLarge(limit: configuration.maximumHeaderBytes)
        case 505: .unsupportedVersion("This version of HTTP")
        default: .unreadable
        }
    }
}
