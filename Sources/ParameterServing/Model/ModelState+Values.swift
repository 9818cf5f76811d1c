// Values that replace those of a model: a restored state, or an import.

import Optimizers

extension ModelState {
    mutating func restoring(_ restoration: Restoration) throws(ServingError) {
        let next = try continuing(from: restoration, isOwed: true)
        // Its pushes were held at the step that the model leaves.
        dropRound(.restored)
        try next.adopt(restoration.optimizer)
        if let arena = restoration.arena {
            if next !== optimizer {
                adopt(next, ArenaPool(arena.placement, budget: pool.budget), arena)
            } else {
                replaceArena(with: arena, written: nil)
            }
            averages.restore(restoration.optimizer.averages)
        }
        (divergence, areSlotsSpoiled) = (nil, false)
        trainingHistory.cut(after: optimizer.step)
        returnVersion(to: restoration.version)
    }

    /// A version with some values replaced.
    ///
    /// Slots spoiled by a divergence are reset to their initial values.
    mutating func importing(_ values: Arena, present: [Bool]) {
        let (next, held) = nextArena()
        for (index, parameter) in facts.layout.parameters.enumerated() {
            if !present[index], !held.isEmpty, held[index] { continue }
            let source = present[index] ? values : arena
            (next.buffer.base + parameter.range.lowerBound)
                .update(from: source.buffer.base + parameter.range.lowerBound, count: parameter.range.count)
        }
        if areSlotsSpoiled { optimizer.resetSlots() }
        (divergence, areSlotsSpoiled) = (nil, false)
        replaceArena(with: next, written: present)
        advanceVersion()
    }

    /// An arena for the next version, and which parameters in it are already up to date.
    func nextArena() -> (Arena, held: [Bool]) {
        let next = pool.takeForVersion()
        defer { next.stamps = nil }
        guard let old = next.stamps, let now = arena.stamps else { return (next, []) }
        return (next, old.matches(now))
    }
}
