// Beliefs that do not hold are counted by place and told once; what follows goes on.

import Testing

@testable import Threading

@Suite("Invariants")
struct InvariantsTests {
    @Test("a belief that holds says nothing, and its words are not made")
    func holds() {
        let collected = Invariants()
        Invariants.$collected.withValue(collected) {
            invariant(
                true,
                {
                    Issue.record("the words were made")
                    return ""
                }())
        }
        #expect(collected.violations.isEmpty)
    }

    @Test("a belief that does not hold is counted by place, and told once for each")
    func counts() {
        let (collected, told) = (Invariants(), Locked<[Invariants.Violation]>([]))
        collected.watch { violation in told.withLock { $0.append(violation) } }
        Invariants.$collected.withValue(collected) {
            for number in 1...3 { invariant(number > 3, "1: \(number) is small", file: "Here", line: 7) }
            invariant(false, "2: never", file: "There", line: 1)
        }
        #expect(collected.violations.map(\.place) == ["Here:7", "There:1"])
        #expect(collected.violations.map(\.count) == [3, 1])
        #expect(told.withLock { $0.map(\.belief) } == ["1: 1 is small", "2: never"])
    }

    @Test("what the code says by itself names the file and the line")
    func place() {
        let collected = Invariants()
        Invariants.$collected.withValue(collected) { invariant(false, "") }
        #expect(collected.violations.map(\.place) == ["ThreadingTests/InvariantsTests.swift:\(#line - 1)"])
    }
}
