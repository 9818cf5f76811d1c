// Long answers have their own queue, and a flood of them is refused instead of waiting for minutes.

import Testing
import Threading

@testable import ParameterServing

@Suite("Long answers")
struct LongAnswerTests {
    @Test("as many as may wait do, the next is turned away, and there is room again once they are made")
    func bounded() throws {
        try Place.memory.withRegistry { registry in
            let (isOpen, made) = (Locked(false), Locked(0))
            let (opening, progress) = (Condition(), Condition())
            let answer: @Sendable () -> Void = {
                isOpen.wait(for: opening) { $0 ? () : nil }
                made.withLock { $0 += 1 }
                progress.broadcast()
            }
            for _ in 0..<ModelRegistry.mostErrands { #expect(registry.work(answer)) }
            #expect(!registry.work(answer))
            isOpen.withLock { $0 = true }
            opening.broadcast()
            made.wait(for: progress) { $0 == ModelRegistry.mostErrands ? () : nil }
            let isDone = Locked(false)
            // The last answer leaves the queue a moment after it has been made.
            while !registry.work({ isDone.withLock { $0 = true } }) {}
        }
    }
}
