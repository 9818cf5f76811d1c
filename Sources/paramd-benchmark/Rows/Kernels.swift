// The update rules alone, on one thread, against the loop that a C programmer writes.

import CReference
import Names
import Optimizers
import Threading

extension Row {
    static let kernels = [1_000_000, 10_000_000].flatMap { count in
        ["sgd", "momentum", "adam"].map { kernel($0, count: count) }
    }

    private static func kernel(_ optimizer: String, count: Int) -> Row {
        Row(
            "rule-\(optimizer)-\(count / 1_000_000)m", "\(optimizer), \(count / 1_000_000) M values, one thread",
            "G/s", limit: "C loop in place", goal: 0.9
        ) { bench in
            let bare = BareRule(optimizer, count: count)
            let rule = try MeasuredRule(optimizer, count: count)
            return try bench.alternate(
                limit: { rate(bench, count) { bare.step() } },
                paramd: { try rate(bench, count) { try rule.step() } })
        }
    }

    /// 1e9 values per second.
    private static func rate(_ bench: Workbench, _ count: Int, _ step: () throws -> Void) rethrows -> Double {
        let begin = Clock.now
        let end = begin + UInt64(bench.settings.seconds * 1e9)
        var steps = 0
        repeat {
            try step()
            steps += 1
        } while Clock.now < end
        return Double(steps * count) / Double(Clock.now - begin)
    }
}

/// Memory for the loop in C.
private final class BareRule {
    private let optimizer: String
    private let count: Int
    private let arrays: [UnsafeMutablePointer<Float>]

    init(_ optimizer: String, count: Int) {
        (self.optimizer, self.count) = (optimizer, count)
        arrays = (0..<4).map { _ in UnsafeMutablePointer<Float>.allocate(capacity: count) }
        for array in arrays { array.initialize(repeating: 0, count: count) }
        for index in 0..<count { arrays[1][index] = Float(index & 255) / 1000 + 0.001 }
    }

    deinit { for array in arrays { array.deallocate() } }

    func step() {
        switch optimizer {
        case "adam": cr_adam(arrays[0], arrays[1], arrays[2], arrays[3], count, 1e-3)
        case "momentum": cr_momentum(arrays[0], arrays[1], arrays[2], count, 1e-3)
        default: cr_sgd(arrays[0], arrays[1], count, 1e-3)
        }
    }
}

/// The same rule as the daemon applies it, from one arena to the next.
private final class MeasuredRule {
    private let optimizer: ModelOptimizer
    private var gradients: Gradients
    private var current, next: FloatBuffer
    private var areModest: Bool?

    init(_ name: String, count: Int) throws {
        guard let shape = Shape([count]) else { throw BenchmarkError("A parameter cannot have \(count) values.") }
        optimizer = try Catalogue.builtin.makeOptimizer(
            definition: .object([
                .init(key: "optimizer", value: Self.rule(name)), .init(key: "learning_rate", value: .number(1e-3)),
            ]),
            parameters: [ParameterDefinition(name: "w", shape: shape)])
        gradients = Gradients(dense: try FloatBuffer(count: count), parameterCount: 1)
        (gradients.isDense[0], gradients.isFinite) = (true, true)
        for index in 0..<count { gradients.dense.base[index] = Float(index & 255) / 1000 + 0.001 }
        (current, next) = (try FloatBuffer(count: count), try FloatBuffer(count: count))
        current.zero()
        next.zero()
    }

    private static func rule(_ name: String) -> SettingValue {
        guard name == "momentum" else { return .string(name) }
        return .object([.init(key: "type", value: .string(name)), .init(key: "momentum", value: .number(0.9))])
    }

    func step() throws {
        let report = try optimizer.update(
            &gradients, from: UnsafePointer(current.base), to: next.base, areModest: areModest)
        areModest = report.areModest
        swap(&current, &next)
    }
}
