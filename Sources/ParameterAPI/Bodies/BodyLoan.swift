// The memory budget's share of a body in transit: its document, growing tensors and rows, and, paid separately, the
// arena of a push. All of it is counted for the body's model and address, and returned when the request is done.

import CMalloc
import ParameterServing

/// The memory of one body.
final class BodyLoan {
    /// The size from which on the C library is asked to return freed memory, because it keeps many small blocks.
    private static let large = 16 << 20
    /// The step in which an arena's bytes are counted.
    private static let step = 1 << 20

    /// The accounts of the body's model and address.
    let share: BodyShare
    private let budget: MemoryBudget
    /// The memory that the body holds; the owner of the body keeps it.
    private(set) var memory: Reservation?
    private var arenaBytes = 0
    /// The reason of the last refusal.
    private(set) var refusal: ServingError?

    init(_ call: Call) {
        budget = call.api.registry.budget
        share = call.api.registry.bodies.share(of: call.arguments["m"], from: call.request.remote)
    }

    deinit { if let memory, memory.bytes > Self.large { memory_give_back() } }

    /// The accounts that this body is counted for.
    var payers: [String] { share.parties.map(\.description) }

    /// Returns the memory that was only needed to read a document.
    func finishReading() {
        guard let memory else { return }
        let before = memory.bytes
        memory.shrink(to: before * 3 / 7)
        share.shrink(by: before - memory.bytes)
    }

    /// Reserves `bytes` more; false if the budget, or the share of the body's model or address, has no room.
    func take(_ bytes: Int) -> Bool {
        let before = memory?.bytes ?? 0
        do throws(ServingError) {
            if let memory { try memory.grow(by: bytes) } else { memory = try budget.reserve(bytes) }
            try share.grow(by: bytes)
            return true
        } catch {
            memory?.shrink(to: before)
            refusal = error
            return false
        }
    }

    /// Counts the used part of an arena of `whole` bytes, once it is paid for.
    ///
    /// - Throws: `ServingError.bodiesTooLarge`.
    func cover(_ bytes: Int, of whole: Int) throws(ServingError) {
        guard bytes > arenaBytes, arenaBytes < whole else { return }
        let covered = min(whole, max(bytes, arenaBytes + Self.step))
        try share.grow(by: covered - arenaBytes)
        arenaBytes = covered
    }
}
