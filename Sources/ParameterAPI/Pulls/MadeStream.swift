// The content of one answer, made on model threads while the network sends it: only slightly ahead of the client, so
// that a slow one costs neither memory nor time.

import HTTPServing
import ParameterServing
import Threading

/// Content made a few pieces ahead of its reader.
final class MadeStream: BodySource, SlicedWork, @unchecked Sendable {
    private struct State {
        var pieces: [[UInt8]] = []
        /// Bytes of the first piece already read.
        var taken = 0
        /// Bytes not read yet.
        var held = 0
        var isBeingMade = false
        var isComplete = false
        var isClosed = false
        var wake: (@Sendable () -> Void)?
    }

    /// The body of an answer: made immediately if it is short, otherwise while it is sent.
    static func body(
        of maker: some PieceMaker, isShort: Bool = false, _ registry: ModelRegistry
    ) throws(ServingError) -> Response.Body {
        isShort ? .bytes(maker.whole()) : .stream(try MadeStream(maker, registry))
    }

    let count: Int?
    let heldBytes = PieceSize.ahead + 2 * PieceSize.piece
    private let state = Locked(State())
    private let slices: SliceQueue
    /// Used only by the current slice.
    private var maker: (any PieceMaker)?
    private let memory: Locked<Reservation?>

    /// Makes a stream of `maker`'s content, which starts with the first read.
    ///
    /// - Throws: `outOfMemory` if the budget has no room for the pieces made in advance.
    private init(_ maker: some PieceMaker, _ registry: ModelRegistry) throws(ServingError) {
        self.maker = maker
        count = maker.count
        slices = registry.slices
        memory = Locked(try registry.budget.reserve(heldBytes))
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, orElse wake: @escaping @Sendable () -> Void) -> BodyRead {
        let (piece, isShort) = state.withLock { state in
            let isShort = !state.isBeingMade && !state.isComplete && state.held < PieceSize.ahead
            if isShort { state.isBeingMade = true }
            if state.pieces.isEmpty, !state.isComplete { state.wake = wake }
            return (state.pieces.first.map { $0[state.taken...] }, isShort)
        }
        if isShort { slices.add(self) }
        guard let piece else { return isComplete ? .end : .later }
        let count = min(piece.count, buffer.count)
        buffer.copyBytes(from: piece.prefix(count))
        drop(count)
        return .bytes(count)
    }

    func close() {
        state.withLock { state in
            state.isClosed = true
            state.isComplete = true
            state.pieces = []
            state.wake = nil
        }
        memory.withLock { $0 = nil }
    }

    /// Makes a piece, unless the answer has ended.
    func slice() -> Bool {
        let piece = state.withLock { $0.isClosed } ? nil : maker?.next()
        if piece == nil { maker = nil }
        let (goesOn, wake) = state.withLock { state in
            if let piece, !state.isClosed {
                state.pieces.append(piece)
                state.held += piece.count
            } else {
                state.isComplete = true
            }
            state.isBeingMade = !state.isComplete && state.held < PieceSize.ahead
            defer { state.wake = nil }
            return (state.isBeingMade, state.wake)
        }
        wake?()
        return goesOn
    }

    private var isComplete: Bool { state.withLock { $0.isComplete && $0.pieces.isEmpty } }

    private func drop(_ count: Int) {
        state.withLock { state in
            state.taken += count
            state.held -= count
            guard state.taken == state.pieces.first?.count else { return }
            state.pieces.removeFirst()
            state.taken = 0
        }
    }
}
