// Each waiting pull keeps a connection open. All models share the places for them, so that waiting pulls never take the
// connections that pushes and probes need.

import Threading

/// The places for waiting pulls, of all models together.
///
/// 1. No more places are freed than are taken.
final class WaitingPlaces: Sendable {
    /// The number of places.
    let most: Int
    private let taken = Locked(0)

    /// Makes a number of free places.
    init(_ most: Int = .max) { self.most = most }

    /// Takes a place.
    ///
    /// - Returns: whether one was free.
    func take() -> Bool {
        taken.withLock { taken in
            guard taken < most else { return false }
            taken += 1
            return true
        }
    }

    /// Frees the places of pulls that have stopped waiting.
    func free(_ count: Int) {
        taken.withLock { taken in
            invariant(count <= taken, "1: frees \(count) of \(taken) places")
            taken -= count
        }
    }
}
