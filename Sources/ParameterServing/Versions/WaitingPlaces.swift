// Each request that waits keeps a connection open. All models share the places for them, so that they never take the
// connections that other requests need.

import Threading

/// The places for requests that wait, of all models together: pulls, pushes in a round, and workers at barriers.
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

    /// A place that is free again when the last reference to it is released.
    final class Place: Sendable {
        private let owner: WaitingPlaces

        fileprivate init(_ owner: WaitingPlaces) { self.owner = owner }

        deinit { owner.free(1) }
    }

    /// A place; nil if all are taken.
    func place() -> Place? { take() ? Place(self) : nil }

    /// The refusal of a request for which there is no place.
    var refusal: ServingError { .tooManyWaiting(limit: most) }

    /// Frees the places of requests that wait no longer.
    func free(_ count: Int) {
        taken.withLock { taken in
            invariant(count <= taken, "1: frees \(count) of \(taken) places")
            taken -= count
        }
    }
}
