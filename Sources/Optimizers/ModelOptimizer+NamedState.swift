// A state as files write it, by the names that exports use: taken over whole, or refused with what is wrong. The server
// reads one into a fresh optimizer and restores a model from that.

import Names

/// Slots, counts and scalars by name.
public struct NamedState {
    /// Values with the shape that they came in.
    public struct Values {
        /// The extents.
        public let shape: [Int]
        /// The numbers, row-major; whoever made this keeps them alive.
        public let values: UnsafeBufferPointer<Float>

        /// Names a shape and its numbers.
        public init(shape: [Int], values: UnsafeBufferPointer<Float>) {
            self.shape = shape
            self.values = values
        }
    }

    /// `PARAMETER#SLOT`, and scalars of parameters that other tools write as tensors.
    public var tensors: [Name: Values]
    /// `PARAMETER#step`.
    public var counts: [Name: Int]
    /// `global_step`, `loss_scale`, `PARAMETER#SCALAR`.
    public var scalars: [Name: Double]

    /// Makes a state of its parts.
    public init(tensors: [Name: Values], counts: [Name: Int], scalars: [Name: Double]) {
        self.tensors = tensors
        self.counts = counts
        self.scalars = scalars
    }
}

extension NamedState {
    /// Names of the loss scaler's numbers in exports, in the order of `OptimizerState.lossScaler`.
    static let lossScaleNames: [Name] = ["loss_scale", "loss_scale#steps", "loss_scale#mark", "loss_scale#overflows"]
}

extension ModelOptimizer {
    /// Scalars by the names that exports use, those of `NamedState` among them.
    public var exportedScalars: [(name: String, value: Double)] {
        let state = exportState()
        var scalars = [(name: "global_step", value: Double(step))] + rules[0].modelScalars(state)
        scalars += zip(NamedState.lossScaleNames, state.lossScaler).map { (name: $0.text, value: $1) }
        let names = scalarNames
        scalars += state.parameterScalars.sorted { $0.key < $1.key }.flatMap { name, values in
            ofTrained(values) { names[$0].contains(name) }.map { (name: "\($0.name)#\(name)", value: $1) }
        }
        return scalars
            + ofTrained(state.isStarted) { _ in true }.map { (name: "\($0.name)#started", value: $1 ? 1 : 0) }
    }

    /// The values of parameters that are trained, by a rule that `isMeant`.
    private func ofTrained<Value>(_ values: [Value], _ isMeant: (Int) -> Bool) -> [(ParameterLayout, Value)] {
        zip(plan.layout.parameters, values).enumerated().filter { index, parameter in
            parameter.0.isTrainable && isMeant(plan.rule(of: index))
        }.map(\.element)
    }

    /// By rule: the numbers per parameter that it keeps.
    var scalarNames: [Set<String>] { scalarsOfRules.map { Set($0.keys) } }

    /// The numbers per parameter as files hold them; 0 for a parameter whose rule keeps none of the name.
    var mergedScalars: [String: [Double]] {
        let all = scalarsOfRules
        if all.count == 1 { return all[0] }
        var merged: [String: [Double]] = [:]
        for (place, scalars) in all.enumerated() {
            for (name, values) in scalars {
                var numbers = merged[name] ?? [Double](repeating: 0, count: plan.layout.parameters.count)
                for index in numbers.indices where plan.rule(of: index) == place { numbers[index] = values[index] }
                merged[name] = numbers
            }
        }
        return merged
    }

    private var scalarsOfRules: [[String: [Double]]] {
        zip(rules, plan.rules).map { rule, planned in
            var own = state
            own.scalars = planned.scalars.map { state.scalars[$0] }
            return rule.parameterScalars(own)
        }
    }

    /// Takes over a state; this optimizer must be new.
    ///
    /// A parameter of which the state has nothing stays as it is: without a gradient so far.
    /// - Throws: `.invalid` for what is missing, unknown, of another shape or out of range; the optimizer is then not to
    ///   be used.
    public func adopt(_ named: NamedState) throws(OptimizerError) {
        var reading = try NamedStateReading(named, optimizer: self)
        var state = exportState()
        for (index, parameter) in plan.layout.parameters.enumerated() where parameter.isTrainable {
            try reading.take(index, parameter, into: &state)
        }
        try reading.takeModel(into: &state)
        try reading.finish()
        guard accepts(state) else {
            throw .invalid("", .valueError, "A count or the loss scale of this state is out of range.")
        }
        takeScalars(of: state)
    }
}
