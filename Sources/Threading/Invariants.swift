// What the code believes of its own state, said where the state changes. A debug build stops where that is not so; a release
// build counts the place, tells of it once, and goes on: no request may end a daemon that serves others.

/// The places whose belief did not hold; in a sound program there are none.
public final class Invariants: Sendable {
    /// A belief that did not hold.
    public struct Violation: Sendable, Equatable {
        /// File and line.
        public let place: String
        /// What should have been, or is instead.
        public let belief: String
        /// How often it was not so.
        public var count = 1
    }

    private struct State {
        var violations: [Violation] = []
        var report: (@Sendable (Violation) -> Void)?
    }

    /// Those of this process.
    public static let process = Invariants()
    /// Where a test collects what would stop a debug build.
    @TaskLocal static var collected: Invariants?

    private let state = Locked(State())

    init() {}

    /// Has `report` told of each place once, on the thread that has come across it.
    public func watch(_ report: @escaping @Sendable (Violation) -> Void) { state.withLock { $0.report = report } }

    /// All that there are, by place.
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

/// Says what must be so here; see `Invariants`.
///
/// - Parameters:
///   - holds: whether it is.
///   - belief: the invariant's number at the head of its type, and the values at hand.
@inlinable
public func invariant(
    _ holds: Bool, _ belief: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) {
    if !holds { Invariants.violate(belief(), file, line) }
}
