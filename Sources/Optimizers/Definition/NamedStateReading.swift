// The implementation of `ModelOptimizer.adopt`: parameter by parameter, with a message for each mismatch.

import Names

/// Reads one named state.
struct NamedStateReading {
    private let named: NamedState
    private let optimizer: ModelOptimizer
    private var unread: Set<Name>
    private let globalStep: Int?
    private var largestCount = 0
    /// By rule: its per-parameter numbers.
    private let scalarNames: [Set<String>]

    /// - Throws: `.invalid` for a number of the whole model that does not belong to a state.
    init(_ named: NamedState, optimizer: ModelOptimizer) throws(OptimizerError) {
        self.named = named
        self.optimizer = optimizer
        scalarNames = optimizer.scalarNames
        let scalars = named.scalars.keys.filter { $0.contains("#") && !NamedState.lossScaleNames.contains($0) }
        unread = Set(named.tensors.keys).union(named.counts.keys).union(scalars)
        for (name, value) in named.scalars.sorted(by: { $0.key < $1.key }) {
            try StateNumber.ofModel(name)?.check(value, name)
        }
        globalStep = try Self.globalStep(of: named)
        unread.remove(Self.stepName)
    }

    private static let stepName: Name = "global_step"

    /// The model's step, from the metadata or from a tensor of one value.
    private static func globalStep(of named: NamedState) throws(OptimizerError) -> Int? {
        var found = named.scalars[stepName]
        if found == nil { found = try value(of: stepName, in: named) }
        guard let step = found else { return nil }
        try StateNumber.ofModel(stepName)?.check(step, stepName)
        return Int(exactly: step)
    }

    /// Reads the data of a parameter: slots into their memory, the rest into `state`.
    mutating func take(
        _ index: Int, _ parameter: ParameterLayout, into state: inout OptimizerState
    ) throws(OptimizerError) {
        let (isThere, rule) = (try takeSlots(index, parameter), optimizer.rules[optimizer.plan.rule(of: index)])
        let count = try count(of: parameter, isThere: isThere, isNeeded: rule.readsCounts)
        if state.counts?.isEmpty == false { state.counts?[index] = count ?? 0 }
        largestCount = max(largestCount, count ?? 0)
        let started = try scalar("started", of: parameter)
        state.isStarted[index] = started.map { $0 != 0 } ?? (count.map { $0 > 0 } ?? (isThere && globalStep != 0))
        for name in scalarNames[optimizer.plan.rule(of: index)].sorted() {
            if let value = try scalar(name, of: parameter) {
                state.parameterScalars[name]?[index] = value
            } else if state.isStarted[index], !rule.derivedScalars.contains(name) {
                throw Self.missing(key(parameter, name))
            }
        }
    }

    /// Reads the slots of a parameter: all that its group uses, or none.
    private mutating func takeSlots(_ index: Int, _ parameter: ParameterLayout) throws(OptimizerError) -> Bool {
        let slots = optimizer.slots.filter { $0.shapes[index] != nil }
        let found = slots.filter { named.tensors[key(parameter, $0.name)] != nil }
        guard !found.isEmpty else { return false }
        for slot in slots where named.tensors[key(parameter, slot.name)] == nil {
            guard let group = parameter.groupIndex,
                !optimizer.rules[optimizer.plan.ruleOfGroup[group]].keeps(slot.name, group: group)
            else {
                throw Self.missing(key(parameter, slot.name))
            }
        }
        for slot in found { try copy(slot, index, parameter) }
        return true
    }

    /// Reads the data of the model: its step and its loss scale.
    func takeModel(into state: inout OptimizerState) throws(OptimizerError) {
        guard let step = globalStep ?? (optimizer.counts.isEmpty ? nil : largestCount) else {
            throw Self.missing(Self.stepName)
        }
        state.step = step
        for (place, name) in NamedState.lossScaleNames.enumerated() where place < state.lossScaler.count {
            if let value = named.scalars[name] { state.lossScaler[place] = value }
        }
    }

    /// Refuses members that were not read.
    func finish() throws(OptimizerError) {
        guard let name = unread.min() else { return }
        let parameters = optimizer.plan.layout.parameters.enumerated().filter(\.element.isTrainable)
        let known = parameters.prefix(1000).flatMap { index, parameter in
            let slots = optimizer.slots.filter { $0.shapes[index] != nil }.map(\.name)
            return (slots + (optimizer.counts.isEmpty ? [] : ["step"])).map { key(parameter, $0) }
        }
        throw .invalid(
            "/\(name.pointerEscaped)", .keyError,
            "Unknown member `\(name)` in the state of this optimizer; \(NearestNames.hint(name, among: known))",
            got: name.text)
    }

    /// The name that a file uses for part of a parameter's state.
    private func key(_ parameter: ParameterLayout, _ part: String) -> Name { Name("\(parameter.name)#\(part)") }

    private mutating func copy(_ slot: Slot, _ index: Int, _ parameter: ParameterLayout) throws(OptimizerError) {
        let name = key(parameter, slot.name)
        unread.remove(name)
        guard let values = named.tensors[name], let shape = slot.shapes[index] else { return }
        guard values.shape == shape.dimensions, values.values.count == shape.elementCount else {
            let complaint = Complaint(
                pointer: "/\(name.pointerEscaped)", exception: .valueError,
                detail: "`\(name)` has shape \(shape.dimensions), not \(values.shape).")
            throw .invalid(complaint.comparing(expected: .shape(shape.dimensions), got: .shape(values.shape)))
        }
        try StateNumber.ofParameter(slot.name, optimizer.plan).check(values.values, name)
        _ = slot[index].update(fromContentsOf: values.values)
    }

    /// `PARAMETER#step`, an integer or, as torch saves it, a float; nil if it is absent and optional.
    private mutating func count(
        of parameter: ParameterLayout, isThere: Bool, isNeeded: Bool
    ) throws(OptimizerError) -> Int? {
        let name = key(parameter, "step")
        guard !optimizer.counts.isEmpty else { return nil }
        if let value = try scalar("step", of: parameter) { return Int(value) }
        if isThere, isNeeded { throw Self.missing(name) }
        return isThere ? globalStep ?? 1 : nil
    }

    /// A per-parameter number: a count, a scalar from the metadata, or a tensor with one value.
    private mutating func scalar(_ part: String, of parameter: ParameterLayout) throws(OptimizerError) -> Double? {
        let name = key(parameter, part)
        unread.remove(name)
        var found = named.counts[name].map(Double.init) ?? named.scalars[name]
        if found == nil { found = try Self.value(of: name, in: named) }
        guard let value = found else { return nil }
        try StateNumber.ofParameter(part, optimizer.plan).check(value, name)
        return value
    }

    private static func value(of name: Name, in named: NamedState) throws(OptimizerError) -> Double? {
        guard let tensor = named.tensors[name] else { return nil }
        guard tensor.values.count == 1 else {
            let complaint = Complaint(
                pointer: "/\(name.pointerEscaped)", exception: .valueError,
                detail: "`\(name)` must be one number; got a tensor of shape \(tensor.shape).")
            throw .invalid(complaint.comparing(expected: .words("one number"), got: .shape(tensor.shape)))
        }
        return Double(tensor.values[0])
    }

    private static func missing(_ name: Name) -> OptimizerError {
        .invalid(
            "/\(name.pointerEscaped)", .valueError, "`\(name)` is missing from the state; add it.", expected: name.text,
            got: "nothing")
    }
}
