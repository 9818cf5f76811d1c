// Broken invariants are counted by place and reported once; the program continues.

import Testing

@testable import Threading

@Suite("Invariants")
struct InvariantsTests {
    @Test("an invariant that holds does nothing, and its text is not made")
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

    @Test("a broken invariant is counted by place, and reported once for each")
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

    @Test("by default a violation names file and line")
    func place() {
        let collected = Invariants()
        Invariants.$collected.withValue(collected) { invariant(false, "") }
        #expect(collected.violations.map(\.place) == ["ThreadingTests/InvariantsTests.swift:\(#line - 1)"])
    }
}
