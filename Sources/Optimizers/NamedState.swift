// A state under the names used in files: adopted as a whole, or refused with the reason. The server reads it into a new
// optimizer and restores a model from that.

import Names

/// Slots, counts and scalars by name.
public struct NamedState {
    /// Values with the shape stated in the file.
    public struct Values {
        /// The shape.
        public let shape: [Int]
        /// The numbers, row-major; the caller keeps the memory alive.
        public let values: UnsafeBufferPointer<Float>

        /// Combines a shape with its numbers.
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

    /// Makes a state from its parts.
    public init(tensors: [Name: Values], counts: [Name: Int], scalars: [Name: Double]) {
        self.tensors = tensors
        self.counts = counts
        self.scalars = scalars
    }
}

extension NamedState {
    /// The names of the loss scaler's numbers in exports, in the order of `OptimizerState.lossScaler`.
    static let lossScaleNames: [Name] = ["loss_scale", "loss_scale#steps", "loss_scale#mark", "loss_scale#overflows"]
}

extension ModelOptimizer {
    /// All scalars under their names in exports, including those of `NamedState`.
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

    /// One value per trained parameter whose rule satisfies `isMeant`.
    private func ofTrained<Value>(_ values: [Value], _ isMeant: (Int) -> Bool) -> [(ParameterLayout, Value)] {
        zip(plan.layout.parameters, values).enumerated().filter { index, parameter in
            parameter.0.isTrainable && isMeant(plan.rule(of: index))
        }.map(\.element)
    }

    /// By rule: its per-parameter numbers.
    var scalarNames: [Set<String>] { scalarsOfRules.map { Set($0.keys) } }

    /// The per-parameter numbers as in files; 0 if a parameter's rule has none of that name.
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

    /// Adopts a state; this optimizer must be new.
    ///
    /// A parameter that is missing from the state stays as it is: without a gradient so far.
    /// - Throws: `.invalid` for missing or unknown members, wrong shapes and values out of range; do not use the
    ///   optimizer then.
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
