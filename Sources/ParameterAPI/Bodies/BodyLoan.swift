// What a body in flight takes of the memory budget: its document, growing tensors and rows, and beside them the arena of a
// push, which pays for itself. All of it counts for the body's model and address. It goes back when the request has been
// dealt with.

import CMalloc
import ParameterServing

/// The memory that one body holds.
final class BodyLoan {
    /// From so many bytes on, the C library is asked to give freed memory back: it keeps many small blocks else.
    private static let large = 16 << 20
    /// Bytes of an arena that are counted at once.
    private static let step = 1 << 20

    /// What the body's model and address are charged with.
    let share: BodyShare
    private let budget: MemoryBudget
    /// What it holds; whoever goes on with the body keeps it.
    private(set) var memory: Reservation?
    private var arenaBytes = 0
    /// Why the last wish was refused.
    private(set) var refusal: ServingError?

    init(_ call: Call) {
        budget = call.api.registry.budget
        share = call.api.registry.bodies.share(of: call.arguments["m"], from: call.request.remote)
    }

    deinit { if let memory, memory.bytes > Self.large { memory_give_back() } }

    /// Whose bodies this one is counted with.
    var payers: [String] { share.parties.map(\.description) }

    /// Gives back what reading a document took beside the document itself.
    func finishReading() {
        guard let memory else { return }
        let before = memory.bytes
        memory.shrink(to: before * 3 / 7)
        share.shrink(by: before - memory.bytes)
    }

    /// Takes `bytes` more; false where the budget, or the share of the body's model or address, has no room for them.
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

    /// Counts what is used of an arena of `whole` bytes, once it is paid for.
    ///
    /// - Throws: `ServingError.bodiesTooLarge`.
    func cover(_ bytes: Int, of whole: Int) throws(ServingError) {
        guard bytes > arenaBytes, arenaBytes < whole else { return }
        let covered = min(whole, max(bytes, arenaBytes + Self.step))
        try share.grow(by: covered - arenaBytes)
        arenaBytes = covered
    }
}
