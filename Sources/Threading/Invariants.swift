// Assertions about state, placed where the state changes. A debug build stops at a broken invariant. A release build
// counts it by place, reports each place once, and continues: one request must not end a daemon that serves others.

/// The places of broken invariants; a correct program has none.
public final class Invariants: Sendable {
    /// A broken invariant.
    public struct Violation: Sendable, Equatable {
        /// File and line.
        public let place: String
        /// The values, or the rule that was broken.
        public let belief: String
        /// The number of times it was broken.
        public var count = 1
    }

    private struct State {
        var violations: [Violation] = []
        var report: (@Sendable (Violation) -> Void)?
    }

    /// The invariants of this process.
    public static let process = Invariants()
    /// Collects violations in a test, where a debug build would stop.
    @TaskLocal static var collected: Invariants?

    private let state = Locked(State())

    init() {}

    /// Calls `report` once for each place, on the thread that finds the violation.
    public func watch(_ report: @escaping @Sendable (Violation) -> Void) { state.withLock { $0.report = report } }

    /// All violations, by place.
    public var violations: [Violation] { state.withLock { $0.violations.sorted { $0.place < $1.place } } }

    func note(_ belief: String, _ place: String) {
        let first = state.withLock { state -> (report: @Sendable (Violation) -> Void, violation: Violation)? in
            if let known = state.violations.firstIndex(where: { $0.place == place }) {
                state.violations[known].count += 1
                return nil
            }
            let violation = Violation(place: place, belief: belief)
            state.violations.append(violation)
            return state.report.map { ($0, violation) }
        }
        if let first { first.report(first.violation) }
    }

    @usableFromInline
    static func violate(_ belief: String, _ file: StaticString, _ line: UInt) {
        #if DEBUG
            guard let collected else { return assertionFailure("\(file):\(line): \(belief)") }
            collected.note(belief, "\(file):\(line)")
        #else
            process.note(belief, "\(file):\(line)")
        #endif
    }
}

/// Asserts an invariant; see `Invariants`.
///
/// - Parameters:
///   - holds: the condition.
///   - belief: the invariant's number at the head of its type, and the values that break it.
@inlinable
public func invariant(
    _ holds: Bool, _ belief: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) {
    if !holds { Invariants.violate(belief(), file, line) }
}
