// The work of a thread, split into turns. In a daemon each loop has its own thread, which sleeps between turns; in a
// simulation all loops share one thread (see Simulation), and a seed chooses the next turn.

/// Work that is done in pieces.
public protocol Loop: AnyObject, Sendable {
    /// Does one available piece of work; does not wait for more.
    func turn() -> Turn
    /// Waits until there may be work.
    func rest()
}

/// The result of a turn.
public enum Turn: Sendable {
    /// One piece of work is done; there may be more.
    case worked
    /// There was nothing to do.
    case idle
    /// The loop has ended.
    case ended
}

extension Loop {
    /// Runs turns until the loop ends.
    func run() {
        while true {
            switch turn() {
            case .worked: continue
            case .idle: rest()
            case .ended: return
            }
        }
    }
}

/// A running loop: on its own thread, or sharing one with the other loops of a simulation.
public struct LoopThread: Sendable {
    private enum Host: Sendable {
        case thread(Thread)
        #if DEBUG
            case simulation(Simulation, part: Int)
        #endif
    }

    private let host: Host

    /// Starts the loop; nil if the system refuses a thread.
    public init?(_ loop: any Loop) {
        #if DEBUG
            if let simulation = Simulation.current {
                host = .simulation(simulation, part: simulation.add(loop))
                return
            }
        #endif
        guard let thread = Thread({ loop.run() }) else { return nil }
        host = .thread(thread)
    }

    /// Waits for the loop to end; see `Thread.join`.
    public func join() {
        switch host {
        case .thread(let thread): thread.join()
        #if DEBUG
            case .simulation(let simulation, let part): simulation.waitForEnd(of: part)
        #endif
        }
    }

    /// Lets the loop run without an owner.
    ///
    /// Call it instead of `join`.
    public func detach() {
        if case .thread(let thread) = host { thread.detach() }
    }
}
