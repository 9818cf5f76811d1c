// What a body in flight takes of the memory budget, beside the arena of a push: its document, growing tensors, rows. It
// goes back when the request has been dealt with.

import CMalloc
import ParameterServing

/// The memory that one body holds.
final class BodyLoan {
    /// From so many bytes on, the C library is asked to give freed memory back: it keeps many small blocks else.
    private static let large = 16 << 20

    private let budget: MemoryBudget
    private var memory: Reservation?
    /// Why the last wish was refused.
    private(set) var refusal: ServingError?

    init(_ budget: MemoryBudget) { self.budget = budget }

    deinit { if let memory, memory.bytes > Self.large { memory_give_back() } }

    /// Gives back what reading a document took beside the document itself.
    func finishReading() {
        if let memory { memory.shrink(to: memory.bytes * 3 / 7) }
    }

    /// Takes `bytes` more; false where the budget has no room for them.
    func take(_ bytes: Int) -> Bool {
        do throws(ServingError) {
            if let memory { try memory.grow(by: bytes) } else { memory = try budget.reserve(bytes) }
            return true
        } catch {
            refusal = error
            return false
        }
    }
}
