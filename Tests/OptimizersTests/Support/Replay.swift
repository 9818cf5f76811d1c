// A miniature model for tests: an optimizer with two alternating arenas.

import Names

@testable import Optimizers

/// An optimizer and its parameters.
final class Replay {
    var optimizer: ModelOptimizer
    var current: FloatBuffer
    var next: FloatBuffer
    /// Whether updates receive the previous update's report, as in the server.
    var tellsModesty = false
    private var areModest = false

    init(
        _ definition: SettingValue, _ parameters: [ParameterDefinition], values: [Name: [Float]] = [:],
        catalogue: Catalogue = .builtin
    ) throws {
        optimizer = try catalogue.makeOptimizer(definition: definition, parameters: parameters)
        current = FloatBuffer(owed: optimizer.layout.count)
        next = FloatBuffer(owed: optimizer.layout.count)
        for (name, list) in values { set(name, list) }
    }

    /// `Replay("{...}", ["w": [1, 2]])`: parameters of rank 1 in alphabetical order.
    convenience init(
        _ json: String, _ values: [Name: [Float]], shapes: [Name: [Int]] = [:], catalogue: Catalogue = .builtin
    ) throws {
        let parameters = values.sorted { $0.key < $1.key }.compactMap { name, list in
            Shape(shapes[name] ?? [list.count]).map { ParameterDefinition(name: name, shape: $0) }
        }
        try self.init(try SettingJSON.read(json), parameters, values: values, catalogue: catalogue)
    }

    func set(_ name: Name, _ values: [Float]) {
        guard let index = optimizer.layout.index(of: name) else { return }
        for (i, value) in zip(optimizer.layout.parameters[index].range, values) { current.base[i] = value }
    }

    subscript(name: Name) -> [Float] {
        guard let index = optimizer.layout.index(of: name) else { return [] }
        return Array(current[optimizer.layout.parameters[index].range])
    }

    var all: [Float] { Array(current[0..<current.count]) }

    /// Dense gradients by name.
    func gradients(_ values: [Name: [Float]]) -> Gradients {
        var gradients = Gradients(
            dense: FloatBuffer(owed: optimizer.layout.count), parameterCount: optimizer.layout.parameters.count)
        gradients.dense.fill(.nan)
        for (name, list) in values {
            guard let index = optimizer.layout.index(of: name) else { continue }
            gradients.isDense[index] = true
            for (i, value) in zip(optimizer.layout.parameters[index].range, list) { gradients.dense.base[i] = value }
        }
        gradients.isFinite = values.values.allSatisfy { $0.allSatisfy(\.isFinite) }
        return gradients
    }

    @discardableResult
    func push(_ values: [Name: [Float]], bringing json: String? = nil) throws -> UpdateReport {
        try push(gradients(values), bringing: json)
    }

    @discardableResult
    func push(_ gradients: Gradients, bringing json: String? = nil) throws -> UpdateReport {
        var gradients = gradients
        next.fill(.nan)
        let report = try optimizer.update(
            &gradients, bringing: try json.map { Hyperparameters(try SettingJSON.read($0)) }, from: current.base,
            to: next.base, areModest: tellsModesty && areModest)
        if report.applied { (current, next, areModest) = (next, current, report.areModest) }
        return report
    }

    /// The gradients of one step of a golden file, dense or sparse.
    func gradients(golden: SettingValue) -> Gradients {
        var dense: [Name: [Float]] = [:]
        for entry in golden.entries where entry.value["indices"] == nil {
            dense[entry.key] = GoldenCase.values(entry.value)
        }
        var gradients = gradients(dense)
        for entry in golden.entries {
            guard case .numbers(let rows)? = entry.value["indices"], let index = optimizer.layout.index(of: entry.key)
            else { continue }
            let values = GoldenCase.values(entry.value)
            let buffer = FloatBuffer(owed: values.count)
            for (i, value) in values.enumerated() { buffer.base[i] = value }
            gradients.sparse[index] = SparseRows(indices: rows.map { Int($0) }, values: buffer)
        }
        return gradients
    }
}

/// Queries for tests, answered by the plan, the rule and the state.
extension ModelOptimizer {
    var layout: ArenaLayout { plan.layout }
    var definition: SettingValue { plan.definition }
    var warnings: [String] { plan.warnings }
    var isStarted: [Bool] { state.isStarted }
    /// The rule of the model's optimizer.
    var rule: Rule { rules[0] }
    var parameterScalars: [String: [Double]] { exportState().parameterScalars }
    var modestRoots: [Int]? { rule.modestRoots }
    var modelScalars: [(name: String, value: Double)] { rule.modelScalars(state) }
    var weightDecay: [Float] { plan.weightDecay(at: step) }

    var learningRate: [Float?] {
        get throws(OptimizerError) { try plan.learningRate(at: step) }
    }

    func learningRate(at step: Int) throws(OptimizerError) -> [Float?] { try plan.learningRate(at: step) }

    func scaledWeightDecay(at step: Int) -> [Float] { plan.scaledWeightDecay(at: step, in: state) }
}
