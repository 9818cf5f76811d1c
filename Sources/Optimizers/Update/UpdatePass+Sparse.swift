// Sparse gradients: the pipeline per entry, duplicates summed if `unique`, then the rule's handling of rows. As in
// MindSpore, weight decay applies to each entry, so a duplicated row decays twice.

import CKernels

extension UpdatePass {
    /// The fused update: conditions the entries in place, then applies the rule; the parameter is already copied.
    mutating func updateSparse(_ tensor: Tensor) {
        let parameter = layout.parameters[tensor.index]
        guard let group = parameter.groupIndex, let rows = tensor.rows else { return }
        let rule = rule(of: group)
        if let rest = rule.conditionAhead(tensor, &self) {
            condition(tensor, rest)
        } else {
            count(gradient: tensor)
            condition(tensor, conditioning(parameter))
        }
        let numbers = numbers(of: tensor.index, group: group)
        add(applySparse(tensor, rows: rows, numbers: numbers), countsGradient: false)
    }

    /// Applies the rule to entries that have passed the pipeline.
    @discardableResult
    mutating func applySparse(_ tensor: Tensor, rows: [Int], numbers: pk_constants) -> pk_sums {
        sortEntries(rows)
        if plan.unique { sumDuplicates(tensor, rows) }
        switch rules[plan.rule(of: tensor.index)].sparseWay {
        case .refused: return pk_sums()
        case .everyRow: return moveEveryRow(tensor, rows, numbers)
        case .rowsInTurn: return moveRows(tensor, rows, numbers, fromOldSlots: false)
        case .rowsFromOldSlots: return moveRows(tensor, rows, numbers, fromOldSlots: true)
        }
    }

    /// The indices of the entries sorted by row, in the order pushed within a row.
    private mutating func sortEntries(_ rows: [Int]) {
        entryOrder.removeAll(keepingCapacity: true)
        entryOrder.append(contentsOf: rows.indices)
        entryOrder.sort { rows[$0] == rows[$1] ? $0 < $1 : rows[$0] < rows[$1] }
    }

    /// Adds all entries of a row to the first, the only one that stays in `entryOrder`.
    private mutating func sumDuplicates(_ tensor: Tensor, _ rows: [Int]) {
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

    /// Adam: sums the entries in the dense scratch, which nesterov's numerator needs.
    private func moveEveryRow(_ tensor: Tensor, _ rows: [Int], _ numbers: pk_constants) -> pk_sums {
        let (range, slots) = (layout.parameters[tensor.index].range, slots(of: tensor.index))
        guard let base = tensor.values.baseAddress, slots.count >= 2, let m = slots[0][tensor.index].baseAddress,
            let v = slots[1][tensor.index].baseAddress
        else { return pk_sums() }
        let gathered = gradients + range.lowerBound
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
            range: range, weights: current, gradients: gathered, next: next, conditioning: pk_pass(),
            numbers: numbers, parameter: tensor.index)
        update.run(PK_RULE_ADAM_SETTLED, slots: slots)
        return update.sums
    }

    /// Only rows with entries change.
    ///
    /// With old slots, all entries of a row start from the same slots.
    private mutating func moveRows(
        _ tensor: Tensor, _ rows: [Int], _ numbers: pk_constants, fromOldSlots: Bool
    ) -> pk_sums {
        guard let base = tensor.values.baseAddress else { return pk_sums() }
        let (start, width) = (layout.parameters[tensor.index].range.lowerBound, tensor.shape.rowCount)
        let (kernel, slots) = (rules[plan.rule(of: tensor.index)].kernel, slots(of: tensor.index))
        var sums = pk_sums()
        for (number, place) in entryOrder.enumerated() {
            let row = rows[place] * width..<(rows[place] + 1) * width
            if fromOldSlots {
                let isRepeated = number > 0 && rows[entryOrder[number - 1]] == rows[place]
                isRepeated ? recallRow(row, of: tensor.index) : rememberRow(row, of: tensor.index)
            }
            var update = RangeUpdate(
                range: start + row.lowerBound..<start + row.upperBound, weights: UnsafePointer(next),
                gradients: base + place * width, next: next, conditioning: pk_pass(), numbers: numbers,
                parameter: tensor.index, offset: row.lowerBound, sums: sums)
            update.run(kernel, slots: slots)
            sums = update.sums
        }
        return sums
    }

    private mutating func rememberRow(_ row: Range<Int>, of parameter: Int) {
        rowSlots.removeAll(keepingCapacity: true)
        for slot in slots(of: parameter) { rowSlots.append(contentsOf: slot[parameter][row]) }
    }

    private func recallRow(_ row: Range<Int>, of parameter: Int) {
        for (place, slot) in slots(of: parameter).enumerated() {
            let old = rowSlots[(place * row.count)..<((place + 1) * row.count)]
            _ = slot[parameter][row].update(fromContentsOf: old)
        }
    }
}
