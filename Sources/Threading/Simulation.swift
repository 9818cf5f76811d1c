// A whole daemon on one thread: every loop started inside `run` takes turns with the others, and a wait gives the
// others turns. Order and time depend only on the seed, so a run can be repeated step by step. Debug builds only.

#if DEBUG
    /// Loops that take turns on one thread, in an order chosen by a seed.
    public final class Simulation: @unchecked Sendable {
        private struct Part {
            let loop: any Loop
            var hasTurn = false
            var hasEnded = false
        }

        /// The simulation that the calling thread runs in.
        @TaskLocal public static var current: Simulation?

        /// Nanoseconds since the start of the simulation; turns advance the time.
        public private(set) var now: UInt64 = 1
        private var parts: [Part] = []
        private let choose: (Int) -> Int
        /// Consecutive turns in which no loop had work.
        private var idleTurns = 0
        private static let nanosecondsPerTurn: UInt64 = 100_000
        private static let nanosecondsPerIdleTurn: UInt64 = 1_000_000_000
        private static let mostIdleTurns = 1000

        /// Makes a simulation without loops.
        ///
        /// - Parameter choose: returns a number below its argument.
        public init(choosing choose: @escaping (Int) -> Int) { self.choose = choose }

        /// Runs `body` inside the simulation.
        public func run<Result>(_ body: () throws -> Result) rethrows -> Result {
            try Self.$current.withValue(self, operation: body)
        }

        /// Gives a turn to a loop that has work.
        ///
        /// - Returns: False if no loop had work. Time advances in any case.
        @discardableResult
        public func turn() -> Bool {
            var ready = parts.indices.filter { !parts[$0].hasTurn && !parts[$0].hasEnded }
            while !ready.isEmpty {
                if give(turnTo: ready.remove(at: choose(ready.count))) {
                    (now, idleTurns) = (now + Self.nanosecondsPerTurn, 0)
                    return true
                }
            }
            (now, idleTurns) = (now + Self.nanosecondsPerIdleTurn, idleTurns + 1)
            return false
        }

        private func give(turnTo part: Int) -> Bool {
            parts[part].hasTurn = true
            defer { parts[part].hasTurn = false }
            switch parts[part].loop.turn() {
            case .worked: return true
            case .idle: return false
            case .ended:
                parts[part].hasEnded = true
                return true
            }
        }

        /// Lets other loops run while the caller waits for one of them.
        public func wait() {
            turn()
            precondition(idleTurns < Self.mostIdleTurns, "simulation: a thread waits for work that no loop does")
        }

        func add(_ loop: any Loop) -> Int {
            parts.append(Part(loop: loop))
            return parts.count - 1
        }

        func waitForEnd(of part: Int) {
            while !parts[part].hasEnded, !parts[part].hasTurn { wait() }
        }
    }
#endif
