// The work of a thread, cut into turns. In a daemon each loop has a thread of its own, which rests between turns; in a
// simulation all loops share one thread (Simulation), and a seed says whose turn it is.

/// Work that comes in pieces.
public protocol Loop: AnyObject, Sendable {
    /// Does one piece of the work that is there; does not wait for more.
    func turn() -> Turn
    /// Waits until there may be work.
    func rest()
}

/// What a turn came to.
public enum Turn: Sendable {
    /// A piece of work is done; there may be more.
    case worked
    /// There was nothing to do.
    case idle
    /// There will never be anything to do again.
    case ended
}

extension Loop {
    /// Takes turns until the loop ends.
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

/// A loop at work: on a thread of its own, or in turns with the other loops of a simulation.
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

    /// Waits for the end of the loop; see `Thread.join`.
    public func join() {
        switch host {
        case .thread(let thread): thread.join()
        #if DEBUG
            case .simulation(let simulation, let part): simulation.waitForEnd(of: part)
        #endif
        }
    }

    /// Lets the loop run on by itself; to be called instead of `join`.
    public func detach() {
        if case .thread(let thread) = host { thread.detach() }
    }
}
