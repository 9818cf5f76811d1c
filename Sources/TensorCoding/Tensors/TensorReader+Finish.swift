// The end of a tensor: its form, whether its shape matches its values, and its record.

extension TensorReader {
    /// Completes `tensor`.
    mutating func finish(_ issues: inout IssueList) -> Effect {
        if encoded.isPresent { finishBase64(&issues) }
        tensor.shape = stated
        if seen.contains(.indices) || seen.contains(.values) {
            finishRows(&issues)
        } else if hasOutput {
            finishDense(&issues)
        }
        if output.isOverBudget || rows.isOverBudget {
            report(.budget, "not enough memory for the values; send fewer at a time", &issues)
        }
        tensor.isRead = !hasIssue
        return .done
    }

    private mutating func finishDense(_ issues: inout IssueList) {
        tensor.elementCount = output.count
        tensor.content = .dense(buffer: output.buffer)
        if seen.contains(.data), encoded.isPresent {
            report(.form, "send either `data` or `b64`, not both", &issues)
        }
        let nested = inferred ?? [output.count]
        guard let stated else {
            tensor.shape = nested
            return
        }
        let fits = nested.count == 1 ? Dimensions.product(stated) == output.count : nested == stated
        guard !fits, !hasIssue else { return }
        hasIssue = true
        let detail = "the values do not match the shape \(Dimensions.text(stated))"
        issues.add(
            TensorIssue(.shape, at: tensor.pointer, detail).comparing(expected: .shape(stated), got: .shape(nested)))
    }

    private mutating func finishRows(_ issues: inout IssueList) {
        guard seen.contains(.indices), seen.contains(.values), !hasOutput else {
            report(.form, "sparse rows need both `indices` and `values`, without `data` or `b64`", &issues)
            return
        }
        let values = rows.buffer ?? TensorBuffer()
        tensor.elementCount = rows.count
        tensor.content = .rows(indices: indices ?? [], values: values)
        let rowCount = tensor.rowsShape.first ?? 0
        guard rowCount != indices?.count, !hasIssue else { return }
        report(
            .indices, "there must be as many indices as rows of values", expected: "\(rowCount)",
            got: "\(indices?.count ?? 0)", &issues)
    }
}
