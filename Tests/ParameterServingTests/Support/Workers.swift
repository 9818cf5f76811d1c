// Registrations as tests write them.

import Names

@testable import ParameterServing

extension WorkerLedger {
    mutating func register(_ name: Name, ttl: Int? = nil, seen sighting: Sighting? = nil) -> Int {
        register(Registration(worker: name, ttl: ttl), seen: sighting)
    }
}

extension Command {
    /// The command of a registration; `ttl` is in milliseconds.
    static func register(worker: Name, ttl: Int? = nil) -> Command {
        .register(Registration(worker: worker, ttl: ttl))
    }

    /// The command in a record of an earlier release, which counted the epochs of each worker.
    static func registerUncounted(_ worker: Name) -> Command {
        .register(Registration(worker: worker, isCounted: false))
    }
}
