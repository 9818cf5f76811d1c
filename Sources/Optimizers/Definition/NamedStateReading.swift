// The work of `Optimizer.adopt`: parameter by parameter, with the sentence for each thing that does not fit.

import Names

/// One reading of a named state.
struct NamedStateReading {
    private let named: NamedState
    private let optimizer: Optimizer
    private var unread: Set<Name>
    private var largestCount = 0

    init(_ named: NamedState, optimizer: Optimizer) {
        self.named = named
        self.optimizer = optimizer
        let scalars = named.scalars.keys.filter { $0.contains("#") && !Optimizer.lossScaleNames.contains($0) }
        unread = Set(named.tensors.keys).union(named.counts.keys).union(scalars)
    }

    /// Reads what belongs to a parameter: slots into their memory, the rest into `state`.
    mutating func take(
        _ index: Int, _ parameter: ParameterLayout, into state: inout OptimizerState
    ) throws(OptimizerError) {
        let slots = optimizer.slots.filter { $0.shapes[index] != nil }
        let found = slots.filter { named.tensors[key(parameter, $0.name)] != nil }
        if let missing = slots.first(where: { slot in !found.contains { $0.name == slot.name } }), !found.isEmpty {
            throw Self.missing(key(parameter, missing.name))
        }
        for slot in found { try copy(slot, index, parameter) }
        let isThere = !found.isEmpty
        let count = try count(of: parameter, isThere: isThere)
        if state.counts?.isEmpty == false { state.counts?[index] = count ?? 0 }
        largestCount = max(largestCount, count ?? 0)
        let started = try scalar(key(parameter, "started"))
        state.isStarted[index] = started.map { $0 != 0 } ?? (count.map { $0 > 0 } ?? (isThere && globalStep != 0))
        for name in state.parameterScalars.keys.sorted() {
            let key = key(parameter, name)
            if let value = try scalar(key) {
                state.parameterScalars[name]?[index] = value
            } else if state.isStarted[index], !optimizer.derivedScalars.contains(name) {
                throw Self.missing(key)
            }
        }
    }

    /// Reads what belongs to the model: its step and its loss scale.
    func takeModel(into state: inout OptimizerState) throws(OptimizerError) {
        guard let step = globalStep ?? (optimizer.counts.isEmpty ? nil : Double(largestCount)) else {
            throw Self.missing("global_step")
        }
        guard let whole = Int(exactly: step), (0..<1 << 53).contains(whole) else {
            throw .invalid(
                "/global_step", .valueError, "`global_step` must be a whole number from 0 to 2^53 - 1.",
                expected: "a whole number", got: "\(step)")
        }
        state.step = whole
        for (place, name) in Optimizer.lossScaleNames.enumerated() where place < state.lossScaler.count {
            if let value = named.scalars[name] { state.lossScaler[place] = value }
        }
    }

    /// Refuses what nothing asked for.
    func finish() throws(OptimizerError) {
        guard let name = unread.min() else { return }
        let known = optimizer.layout.parameters.filter(\.isTrainable).prefix(1000).flatMap { parameter in
            (optimizer.slots.map(\.name) + (optimizer.counts.isEmpty ? [] : ["step"])).map { key(parameter, $0) }
        }
        throw .invalid(
            "/\(name.pointerEscaped)", .keyError,
            "The optimizer keeps no `\(name)`; \(NearestNames.hint(name, among: known))", got: name.text)
    }

    /// The name under which a file has something of a parameter.
    private func key(_ parameter: ParameterLayout, _ part: String) -> Name { Name("\(parameter.name)#\(part)") }

    private var globalStep: Double? { named.scalars["global_step"] }

    private mutating func copy(_ slot: Slot, _ index: Int, _ parameter: ParameterLayout) throws(OptimizerError) {
        let name = key(parameter, slot.name)
        unread.remove(name)
        guard let values = named.tensors[name], let shape = slot.shapes[index] else { return }
        guard values.shape == shape.dimensions, values.values.count == shape.elementCount else {
            throw .invalid(
                "/\(name.pointerEscaped)", .valueError, "`\(name)` has shape \(shape.dimensions), not \(values.shape).",
                expected: "\(shape.dimensions)", got: "\(values.shape)")
        }
        _ = slot[index].update(fromContentsOf: values.values)
    }

    /// `PARAMETER#step`, an integer or, as torch saves it, a float; nil where it is absent and need not be there.
    private mutating func count(of parameter: ParameterLayout, isThere: Bool) throws(OptimizerError) -> Int? {
        let name = key(parameter, "step")
        guard !optimizer.counts.isEmpty else { return nil }
        if let count = named.counts[name] {
            unread.remove(name)
            return try checked(count, name)
        }
        guard let value = try scalar(name) else {
            if isThere, optimizer.readsCounts { throw Self.missing(name) }
            return isThere ? Int(exactly: globalStep ?? 1) : nil
        }
        return try checked(Int(exactly: value), name)
    }

    private func checked(_ count: Int?, _ name: Name) throws(OptimizerError) -> Int {
        guard let count, (0..<1 << 53).contains(count) else {
            throw .invalid(
                "/\(name.pointerEscaped)", .valueError, "`\(name)` must be a whole number from 0 to 2^53 - 1.",
                expected: "a whole number", got: count.map { "\($0)" } ?? "a fraction")
        }
        return count
    }

    /// A scalar from the metadata, or from a tensor of one value.
    private mutating func scalar(_ name: Name) throws(OptimizerError) -> Double? {
        unread.remove(name)
        if let value = named.scalars[name] { return value }
        guard let tensor = named.tensors[name] else { return nil }
        guard tensor.values.count == 1 else {
            throw .invalid(
                "/\(name.pointerEscaped)", .valueError,
                "`\(name)` is one number, not a tensor of shape \(tensor.shape).",
                expected: "one number", got: "\(tensor.shape)")
        }
        return Double(tensor.values[0])
    }

    private static func missing(_ name: Name) -> OptimizerError {
        .invalid(
            "/\(name.pointerEscaped)", .valueError, "`\(name)` is missing from the state; add it.", expected: name.text,
            got: "nothing")
    }
}
