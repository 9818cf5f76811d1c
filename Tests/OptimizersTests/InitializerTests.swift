// Initial values: a seed and a name give the same values on every machine, with the moments of their kind.

import Names
import Testing

@testable import Optimizers

@Suite("Initializers")
struct InitializerTests {
    static func values(_ kind: Initializer.Kind, seed: UInt64 = 0, name: Name = "w", _ dimensions: [Int]) throws
        -> [Float]
    {
        let shape = try #require(Shape(dimensions))
        let buffer = FloatBuffer(owed: shape.elementCount)
        Initializer(kind, seed: seed).fill(buffer[0..<buffer.count], name: name, shape: shape)
        return Array(buffer[0..<buffer.count])
    }

    /// Computed by an independent program: SplitMix64 and FNV-1a as published, uniform in [-0.07, 0.07].
    @Test("give these values on every machine")
    func fixed() throws {
        let uniform = try Self.values(.uniform, [4])
        #expect(uniform == InitializerTests.uniformOfSeed0)
        let normal = try Self.values(.normal, seed: 7, name: "conv1.weight", [3])
        #expect(normal == InitializerTests.normalOfSeed7)
    }

    @Test(
        "differ by seed and by name, and repeat otherwise",
        arguments: [Initializer.Kind.normal, .uniform, .heNormal, .xavierUniform])
    func seeds(_ kind: Initializer.Kind) throws {
        let values = try Self.values(kind, seed: 1, [8, 4])
        #expect(try Self.values(kind, seed: 1, [8, 4]) == values)
        #expect(try Self.values(kind, seed: 2, [8, 4]) != values)
        #expect(try Self.values(kind, seed: 1, name: "v", [8, 4]) != values)
    }

    static let deviations: [(Initializer.Kind, Double)] = [
        (.normal, 0.01), (.uniform, 0.0404145), (.heNormal, 0.0666667), (.heUniform, 0.0666667),
        (.xavierNormal, 0.0471405),
        (.xavierUniform, 0.0471405),
    ]

    @Test("have the spread of their kind", arguments: deviations)
    func moments(_ kind: Initializer.Kind, _ deviation: Double) throws {
        let values = try Self.values(kind, [50, 50, 3, 3]).map(Double.init)
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
        #expect(abs(mean) < deviation / 20 && abs(variance.squareRoot() / deviation - 1) < 0.03)
    }

    @Test("of constants are constant, and of a scalar finite")
    func constants() throws {
        #expect(try Self.values(.zeros, [3]) == [0, 0, 0] && Self.values(.ones, [2]) == [1, 1])
        for kind in Initializer.Kind.allCases { #expect(try Self.values(kind, []).allSatisfy(\.isFinite)) }
    }

    @Test(
        "are read from a name or an object, and refused otherwise",
        arguments: [
            (#""he_unifrom""#, ExceptionClass.valueError), ("3", .typeError), (#"{"seed":1}"#, .typeError),
            (#"{"type":"zeros","seed":-1}"#, .valueError), (#"{"type":"zeros","sed":1}"#, .keyError),
        ])
    func refused(_ json: String, _ exception: ExceptionClass) throws {
        let setting = try SettingJSON.read(json)
        #expect(
            complaint { () throws(OptimizerError) in _ = try Initializer(setting, pointer: "/init") }?.exception
                == exception)
        let good = try SettingJSON.read(#"{"type":"he_uniform","seed":3}"#)
        #expect(try Initializer(good, pointer: "") == Initializer(.heUniform, seed: 3))
    }
}

extension InitializerTests {
    static let uniformOfSeed0: [Float] = [0.0304852, -0.061747618, 0.047402672, 0.009481917]
    static let normalOfSeed7: [Float] = [-0.010922491, 0.0048366906, 0.0053433194]
}
