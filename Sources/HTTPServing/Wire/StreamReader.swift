// A body source as libmicrohttpd reads it. While there is nothing to read, the connection is suspended, so that the
// library does not poll; the source's wake arrives at the loop as a message, which resumes the connection.

import CMicroHTTPD

/// An answer whose content is produced while it is sent.
///
/// Confined to its loop's thread, except for the source's wake.
final class StreamReader: @unchecked Sendable {
    /// `MHD_CONTENT_READER_END_OF_STREAM` and `MHD_CONTENT_READER_END_WITH_ERROR`, macros that Swift cannot import.
    private static let (end, error) = (-1, -2)

    let connection: Connection
    private let handle: OpaquePointer
    private let source: any BodySource
    private unowned let loop: EventLoop
    private var isCut = false
    /// Whether the library has been told to leave the connection alone.
    private(set) var isSuspended = false

    init(_ source: any BodySource, on handle: OpaquePointer, _ connection: Connection, _ loop: EventLoop) {
        self.source = source
        self.handle = handle
        self.connection = connection
        self.loop = loop
    }

    /// The library's answer, which keeps this reader until its last byte has been sent.
    func response() -> OpaquePointer? {
        let reader = Unmanaged.passRetained(self)
        let made = MHD_create_response_from_callback(
            source.count.map(UInt64.init) ?? UInt64.max, 1 << 16,
            { context, _, buffer, room in
                guard let context, let buffer else { return StreamReader.error }
                let reader = Unmanaged<StreamReader>.fromOpaque(context).takeUnretainedValue()
                return reader.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: room))
            },
            reader.toOpaque(),
            { context in
                guard let context else { return }
                let reader = Unmanaged<StreamReader>.fromOpaque(context)
                reader.takeUnretainedValue().source.close()
                reader.release()
            })
        if made == nil { reader.release() }
        return made
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        defer { loop.jobs.note() }
        if isCut { return Self.error }
        let read = source.read(into: buffer) { [weak self] in
            if let self { loop.post(.readable(self)) }
        }
        switch read {
        case .bytes(let count):
            loop.counters.queuedBytes += count
            return count
        case .end: return Self.end
        case .later:
            suspend()
            return 0
        }
    }

    private func suspend() {
        isSuspended = true
        connection.stage = .held
        MHD_suspend_connection(handle)
        loop.starving[ObjectIdentifier(self)] = self
    }

    /// Makes the library continue to read.
    func resume() {
        guard isSuspended else { return }
        isSuspended = false
        loop.starving[ObjectIdentifier(self)] = nil
        connection.stage = .answer(nil)
        MHD_resume_connection(handle)
    }

    /// Tells the source that the client sends nothing more.
    func noteClientFinished() { source.noteClientFinished() }

    /// Ends the answer early and closes the connection.
    func cut() {
        isCut = true
        resume()
    }
}
