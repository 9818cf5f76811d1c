// Sparse gradients: the pipeline per entry, duplicates summed where `unique`, then the rule's way with rows.
// MindSpore: weight decay reaches each entry, so a duplicated row decays twice.

import CKernels

extension FusedOptimizer {
    /// The fused way: conditions the entries in place, then applies the rule; the parameter is already copied.
    func updateSparse(_ tensor: Tensor) {
        let parameter = layout.parameters[tensor.index]
        guard let group = parameter.groupIndex, let pass, let rows = tensor.rows else { return }
        if let rest = conditionAhead(tensor) {
            condition(tensor, rest, pass)
        } else {
            count(gradient: tensor)
            condition(tensor, conditioning(parameter, pass), pass)
        }
        let numbers = numbers(of: tensor.index, group: group)
        let sums = applySparse(tensor, rows: rows, numbers: numbers)
        add(sums, countsGradient: false)
    }

    /// Places of entries that are kept from one update to the next.
    private static let mostOrderKept = 4096

    /// The rule on entries that went through the pipeline.
    @discardableResult
    func applySparse(_ tensor: Tensor, rows: [Int], numbers: pk_constants) -> pk_sums {
        sortEntries(rows)
        defer { if entryOrder.capacity > Self.mostOrderKept { entryOrder = [] } }
        if unique { sumDuplicates(tensor, rows) }
        switch sparseWay {
        case .refused: return pk_sums()
        case .everyRow: return moveEveryRow(tensor, rows, numbers)
        case .rowsInTurn: return moveRows(tensor, rows, numbers, fromOldSlots: false)
        case .rowsFromOldSlots: return moveRows(tensor, rows, numbers, fromOldSlots: true)
        }
    }

    /// Places of the entries by row, in the order pushed within a row.
    private func sortEntries(_ rows: [Int]) {
        entryOrder.removeAll(keepingCapacity: true)
        entryOrder.append(contentsOf: rows.indices)
        entryOrder.sort { rows[$0] == rows[$1] ? $0 < $1 : rows[$0] < rows[$1] }
    }

    /// Adds the values of a row's entries to those of its first, which alone stays in `entryOrder`.
    private func sumDuplicates(_ tensor: Tensor, _ rows: [Int]) {
        guard let base = tensor.values.baseAddress else { return }
        let width = tensor.shape.rowCount
        var kept = 0
        for place in entryOrder {
            if kept > 0, rows[entryOrder[kept - 1]] == rows[place] {
                VectorMath.add(base + place * width, to: base + entryOrder[kept - 1] * width, count: width)
            } else {
                entryOrder[kept] = place
                kept += 1
            }
        }
        entryOrder.removeLast(entryOrder.count - kept)
    }

    /// Adam: the sum of the entries is gathered in the dense scratch, which nesterov's numerator needs.
    private func moveEveryRow(_ tensor: Tensor, _ rows: [Int], _ numbers: pk_constants) -> pk_sums {
        let range = layout.parameters[tensor.index].range
        guard let pass, let base = tensor.values.baseAddress, slots.count >= 2 else { return pk_sums() }
        let (m, v) = (slots[0].buffer.base + range.lowerBound, slots[1].buffer.base + range.lowerBound)
        let gathered = pass.gradients + range.lowerBound
        VectorMath.scale(m, by: numbers.beta1, count: range.count)
        VectorMath.scale(v, by: numbers.beta2, count: range.count)
        gathered.update(repeating: 0, count: range.count)
        let width = tensor.shape.rowCount
        var constants = numbers
        for place in entryOrder {
            let (start, values) = (rows[place] * width, base + place * width)
            pk_adam_entry(VectorMath.isa, &constants, m + start, v + start, values, width)
            VectorMath.add(values, to: gathered + start, count: width)
        }
        var update = RangeUpdate(
            range: range, weights: pass.current, gradients: gathered, next: pass.next, conditioning: pk_pass(),
            numbers: numbers, parameter: tensor.index)
        update.run(PK_RULE_ADAM_SETTLED, slots: slots)
        return update.sums
    }

    /// Only rows with entries move.
    ///
    /// From old slots, a row's later entries start where its first one did.
    private func moveRows(
        _ tensor: Tensor, _ rows: [Int], _ numbers: pk_constants, fromOldSlots: Bool
    ) -> pk_sums {
        guard let pass, let base = tensor.values.baseAddress else { return pk_sums() }
        let (start, width) = (layout.parameters[tensor.index].range.lowerBound, tensor.shape.rowCount)
        var sums = pk_sums()
        for (number, place) in entryOrder.enumerated() {
            let first = start + rows[place] * width
            let range = first..<(first + width)
            if fromOldSlots {
                let isRepeated = number > 0 && rows[entryOrder[number - 1]] == rows[place]
                isRepeated ? recallRow(range) : rememberRow(range)
            }
            var update = RangeUpdate(
                range: range, weights: UnsafePointer(pass.next), gradients: base + place * width, next: pass.next,
                conditioning: pk_pass(), numbers: numbers, parameter: tensor.index, sums: sums)
            update.run(kernel, slots: slots)
            sums = update.sums
        }
        return sums
    }

    private func rememberRow(_ range: Range<Int>) {
        rowSlots.removeAll(keepingCapacity: true)
        for slot in slots { rowSlots.append(contentsOf: slot.buffer[range]) }
    }

    private func recallRow(_ range: Range<Int>) {
        for (place, slot) in slots.enumerated() {
            _ = slot.buffer[range].update(fromContentsOf: rowSlots[(place * range.count)..<((place + 1) * range.count)])
        }
    }
}
