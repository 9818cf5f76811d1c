// The contributions of a round in tests, and what a reduction makes of them, as plain arrays.

import Names

@testable import Optimizers

/// A gradient as a test writes it.
enum TestGradient {
    case dense([Float])
    case rows([Int], [Float])
}

/// A model's layout, and contributions for it.
struct Round {
    let layout: ArenaLayout

    /// Parameters by name, in alphabetical order, with shapes.
    init(_ shapes: [Name: [Int]]) throws {
        let values = shapes.mapValues { [Float](repeating: 0, count: $0.reduce(1, *)) }
        layout = try Replay(#"{"optimizer":"lazy_adam"}"#, values, shapes: shapes).optimizer.layout
    }

    func contribution(_ gradients: [Name: TestGradient], weight: Double = 1) -> Contribution {
        var made = Gradients(dense: FloatBuffer(owed: layout.count), parameterCount: layout.parameters.count)
        made.dense.fill(.nan)
        for (name, gradient) in gradients {
            guard let index = layout.index(of: name) else { continue }
            switch gradient {
            case .dense(let values):
                made.isDense[index] = true
                _ = made.dense[layout.parameters[index].range].update(fromContentsOf: values)
            case .rows(let rows, let values):
                let buffer = FloatBuffer(owed: values.count)
                _ = buffer[0..<values.count].update(fromContentsOf: values)
                made.sparse[index] = SparseRows(indices: rows, values: buffer)
            }
        }
        made.isFinite = made.firstNonFinite(in: layout) == nil
        return Contribution(made, weight: weight)
    }

    func reduced(
        _ contributions: [Contribution], by reduction: Reduction, scale: Double = 1
    ) -> Gradients {
        let arena = FloatBuffer(owed: layout.count)
        arena.fill(.nan)
        return reduction.combine(contributions, scale: scale, into: arena, layout: layout).gradients
    }

    /// The dense values of a parameter; nil if its gradient is not dense.
    func dense(_ gradients: Gradients, _ name: Name) -> [Float]? {
        guard let index = layout.index(of: name), gradients.isDense[index] else { return nil }
        return Array(gradients.dense[layout.parameters[index].range])
    }

    func rows(_ gradients: Gradients, _ name: Name) -> (rows: [Int], values: [Float])? {
        guard let sparse = layout.index(of: name).flatMap({ gradients.sparse[$0] }) else { return nil }
        return (sparse.indices, Array(sparse.values[0..<sparse.values.count]))
    }
}
