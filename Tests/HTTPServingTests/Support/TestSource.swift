// Content that a test makes by hand, while the server sends it.

import Threading

@testable import HTTPServing

/// Content that is made when a test says so.
final class TestSource: BodySource {
    private struct State {
        var unread: [UInt8] = []
        var isComplete = false
        var isClosed = false
        var reads = 0
        var wake: (@Sendable () -> Void)?
    }

    let count: Int?
    let heldBytes = 1 << 20
    private let state = Locked(State())

    init(count: Int?) { self.count = count }

    var isClosed: Bool { state.withLock { $0.isClosed } }
    /// How many times the server has asked for bytes.
    var reads: Int { state.withLock { $0.reads } }
    /// Whether the server waits for more.
    var isAwaited: Bool { state.withLock { $0.wake != nil } }

    func add(_ bytes: [UInt8]) { change { $0.unread += bytes } }
    func finish() { change { $0.isComplete = true } }

    private func change(_ body: (inout State) -> Void) {
        let wake = state.withLock { state in
            body(&state)
            defer { state.wake = nil }
            return state.wake
        }
        wake?()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, orElse wake: @escaping @Sendable () -> Void) -> BodyRead {
        state.withLock { state in
            state.reads += 1
            let count = min(buffer.count, state.unread.count)
            guard count > 0 else {
                if state.isComplete { return .end }
                state.wake = wake
                return .later
            }
            buffer.copyBytes(from: state.unread.prefix(count))
            state.unread.removeFirst(count)
            return .bytes(count)
        }
    }

    func close() { state.withLock { $0.isClosed = true } }
}

extension Client {
    /// The bytes of a chunked answer; nil if the connection ends before the last chunk.
    func chunkedBody() -> [UInt8]? {
        var body: [UInt8] = []
        while let line = line(), let size = Int(line, radix: 16) {
            guard let chunk = take(size), take(2) == [13, 10] else { return nil }
            if size == 0 { return body }
            body += chunk
        }
        return nil
    }
}
