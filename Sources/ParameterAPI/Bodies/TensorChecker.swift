// Checks decoded tensors against the model: names, shapes, rows. Collects all mistakes, so that one answer lists them
// all and a push is judged as a whole.

import Names
import Optimizers
import ParameterServing
import TensorCoding

/// Checks the tensors of a push or an import.
struct TensorChecker {
    private let facts: ModelFacts
    private let layout: ArenaLayout
    /// The body's section, for pointers: `gradients` or `parameters`.
    let section: String
    private var list: ComplaintList
    /// The pointers of tensors that already have a complaint.
    private var accused: Set<Name> = []
    /// The number of unknown names with a suggestion so far.
    private var hints = 0
    /// The common affix of all unknown names, once it has been reported.
    private var affix: CommonAffix?
    /// The first tensor with NaN or infinity.
    private(set) var nonFinite: Complaint?
    private(set) var isDense: [Bool]
    private(set) var sparse: [Int: SparseRows] = [:]

    init(_ facts: ModelFacts, section: String) {
        self.facts = facts
        layout = facts.layout
        self.section = section
        list = ComplaintList(section: "/\(section)")
        self.isDense = Array(repeating: false, count: layout.parameters.count)
    }

    /// Reports every trained parameter without a gradient, for a push that says it is complete.
    mutating func demandAll() {
        for (index, parameter) in layout.parameters.enumerated()
        where parameter.isTrainable && !isDense[index] && sparse[index] == nil {
            list.add(
                Complaint(
                    pointer: "/\(section)/\(parameter.name.pointerEscaped)", exception: .runtimeError,
                    detail:
                        "`\(parameter.name)` has no gradient, but `complete` is true; send one for each trained parameter"
                ))
        }
    }

    /// The mistakes, the first ones in full.
    var complaints: [Complaint] { list.complaints }

    /// Adds a mistake found elsewhere in the same body.
    mutating func add(_ complaint: Complaint) {
        // A JSON body has its tensors in a section, a file at its top level.
        let parts = complaint.pointer.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for depth in 2...3 where depth <= parts.count {
            accused.insert(Name(parts.prefix(depth).map { String(Substring($0)) }.joined(separator: "/")))
        }
        list.add(complaint)
    }

    /// Checks all tensors, which were read for this layout.
    ///
    /// `takesRows` allows sparse rows, `takesUntrained` allows untrained parameters.
    ///
    /// - Throws: `outOfMemory` if the system has none for rows.
    mutating func check(_ tensors: [DecodedTensor], takesRows: Bool, takesUntrained: Bool) throws(Problem) {
        let places = tensors.map { $0.place ?? layout.index(of: $0.name) }
        let unknownNames = places.contains(nil) ? zip(tensors, places).filter { $0.1 == nil }.map(\.0.name) : []
        affix = CommonAffix(of: unknownNames, in: layout)
        if let affix {
            list.add(
                Complaint(
                    pointer: "/\(section)", exception: .keyError,
                    detail: affix.advice(count: unknownNames.count, isAll: unknownNames.count == tensors.count)))
        }
        for index in tensors.indices {
            if let place = places[index] {
                try check(tensors[index], place, takesRows: takesRows, takesUntrained: takesUntrained)
            } else {
                unknown(tensors[index])
            }
        }
    }

    private mutating func check(
        _ tensor: DecodedTensor, _ index: Int, takesRows: Bool, takesUntrained: Bool
    ) throws(Problem) {
        // A tensor that could not be read has been reported already, unless there were many; its shape is meaningless.
        guard tensor.isRead else {
            if accused.contains(Name(tensor.pointer)) { return }
            return complain(tensor, .valueError, "`\(tensor.name)` cannot be read either")
        }
        if !takesUntrained, !layout.parameters[index].isTrainable {
            return complain(
                tensor, .valueError,
                "`\(tensor.name)` is not trained and has no gradient; set it with PUT .../parameters")
        }
        if let advice = tensor.typedArrayAdvice { return complain(tensor, .typeError, advice) }
        if let field = tensor.fields.first {
            let hint = NearestNames.hint(field.key, among: ["shape", "data", "dtype", "b64", "indices", "values"])
            return complain(tensor, .keyError, "unknown field `\(field.key)` of a tensor; \(hint)")
        }
        if !tensor.isFinite {
            let detail = "`\(tensor.name)` holds NaN or infinity"
            if takesUntrained { return complain(tensor, .valueError, detail, expected: .words("finite numbers")) }
            nonFinite =
                nonFinite
                ?? Complaint(
                    pointer: pointer(of: tensor), exception: .valueError, detail: detail, expected: "finite numbers")
        }
        switch tensor.content {
        case .dense: checkDense(tensor, index)
        case .rows(let indices, let values) where takesRows:
            try checkRows(tensor, indices, values, index)
        case .count:
            complain(tensor, .typeError, "a count belongs to the state of the optimizer; send it with PUT .../state")
        case .rows: complain(tensor, .typeError, "sparse rows are only for gradients; send the whole tensor")
        case .none: complain(tensor, .valueError, "the tensor has no values; send `data`, `b64` or nested lists")
        }
    }

    /// Reports an unknown tensor; only the first tensors get suggestions, because each is compared with thousands of
    /// names.
    private mutating func unknown(_ tensor: DecodedTensor) {
        if affix != nil { return }
        let plain = "the model has no parameter `\(tensor.name)`"
        guard hints < FixedLimits.suggestions else { return complain(tensor, .keyError, plain) }
        hints += 1
        let hint = NearestNames.hint(tensor.name, among: layout.parameters.lazy.map(\.name))
        complain(tensor, .keyError, "\(plain); \(hint)")
    }

    private mutating func checkDense(_ tensor: DecodedTensor, _ index: Int) {
        let fits = tensor.shape.map { $0 == layout.parameters[index].shape.dimensions } ?? true
        if fits, tensor.elementCount == layout.parameters[index].range.count { return isDense[index] = true }
        let (parameter, shape) = (layout.parameters[index], tensor.shape ?? [tensor.elementCount])
        let detail = wrongShape(parameter, shape)
        complain(
            tensor, .valueError, detail, expected: .shape(parameter.shape.dimensions), got: .shape(shape))
    }

    private func wrongShape(_ parameter: ParameterLayout, _ shape: [Int]) -> String {
        "\(facts.shapeText(of: parameter)), not \(shape)\(facts.shapeAdvice(for: parameter.name))"
    }

    private mutating func checkRows(
        _ tensor: DecodedTensor, _ indices: [Int], _ values: TensorBuffer, _ index: Int
    ) throws(Problem) {
        let parameter = layout.parameters[index]
        guard let rows = parameter.shape.dimensions.first else {
            return complain(tensor, .valueError, "`\(tensor.name)` is a scalar and has no rows; send the number")
        }
        if let dense = tensor.shape, dense != parameter.shape.dimensions {
            let detail = wrongShape(parameter, dense)
            return complain(
                tensor, .valueError, detail,
                expected: .shape(parameter.shape.dimensions), got: .shape(dense))
        }
        let wanted = [indices.count] + parameter.shape.dimensions.dropFirst()
        // Nested lists cannot express the width of zero rows.
        let isEmpty = indices.isEmpty && tensor.rowsShape == [0]
        guard isEmpty || tensor.rowsShape == wanted, values.count == indices.count * parameter.shape.rowCount else {
            return complain(
                tensor, .valueError,
                "`values` of `\(tensor.name)` must have one row for each index, so the shape \(wanted)",
                expected: .shape(wanted), got: .shape(tensor.rowsShape))
        }
        if let stray = indices.first(where: { !(0..<rows).contains($0) }) {
            return complain(
                tensor, .valueError, "row \(stray) of `\(tensor.name)` does not exist; it has rows 0 to \(rows - 1)",
                expected: .words("0 to \(rows - 1)"), got: .words("\(stray)"))
        }
        let copy: FloatBuffer
        do throws(OptimizerError) { copy = try FloatBuffer(count: values.count) } catch {
            throw Problem(ServingError(error))
        }
        copy.base.update(from: values.base, count: values.count)
        sparse[index] = SparseRows(indices: indices, values: copy)
    }

    private mutating func complain(
        _ tensor: DecodedTensor, _ exception: ExceptionClass, _ detail: @autoclosure () -> String,
        expected: @autoclosure () -> Finding? = nil, got: @autoclosure () -> Finding? = nil
    ) {
        let pointer = pointer(of: tensor)
        list.add(
            Complaint(pointer: pointer, exception: exception, detail: detail())
                .comparing(expected: expected(), got: got()))
    }

    /// The tensor's place in a JSON body; also used for a safetensors file, which has only one level.
    private func pointer(of tensor: DecodedTensor) -> String { "/\(section)/\(tensor.name.pointerEscaped)" }
}
