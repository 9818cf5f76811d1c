// Initial values of parameters, seeded and equal on every machine. A counter-based generator gives each element its own
// number, so order and chunking do not matter; log and cos are computed in double and rounded once.

import Glibc
import Names

/// The rule for a parameter's initial values.
///
/// `he` draws uniform values from [-a, a], a = sqrt(6 / fan_in), or normal ones from N(0, 2 / fan_in); `xavier` uses
/// a = sqrt(6 / (fan_in + fan_out)) and N(0, 2 / (fan_in + fan_out)). `uniform` draws from [-0.07, 0.07], `normal` from
/// N(0, 0.01^2), as mindspore.common.initializer does. fan_out is the first extent times all extents after the second,
/// fan_in the second extent times the same.
public struct Initializer: Sendable, Equatable {
    /// The kinds of initializers.
    public enum Kind: String, CaseIterable, Sendable {
        /// 0 everywhere.
        case zeros
        /// 1 everywhere.
        case ones
        /// N(0, 0.01^2).
        case normal
        /// [-0.07, 0.07].
        case uniform
        /// He's normal.
        case heNormal = "he_normal"
        /// He's uniform.
        case heUniform = "he_uniform"
        /// Glorot's normal.
        case xavierNormal = "xavier_normal"
        /// Glorot's uniform.
        case xavierUniform = "xavier_uniform"
    }

    /// The kind.
    public let kind: Kind
    /// Distinguishes initializers of the same kind.
    public let seed: UInt64

    /// Makes an initializer.
    public init(_ kind: Kind, seed: UInt64 = 0) {
        self.kind = kind
        self.seed = seed
    }

    /// Reads a name, or an object with `type` and an optional `seed`.
    ///
    /// - Throws: TypeError or ValueError for anything else.
    public init(_ setting: SettingValue, pointer: String) throws(OptimizerError) {
        let object = setting.stringValue.map {
            SettingValue.object([SettingValue.Entry(key: "type", value: .string($0))])
        }
        guard case .object = object ?? setting else {
            let words = "a name or an object with `type`"
            throw .wrongKind(pointer, "`init`", words, setting, expected: "a name or an object")
        }
        let settings = SettingReader(object ?? setting, pointer: pointer, owner: "init")
        guard settings.has("type") else {
            throw settings.complaint(
                "type", .typeError, "`init` needs `type`.", "the name of an initializer", "nothing")
        }
        kind = try settings.choice("type", default: .zeros)
        seed = UInt64(try settings.wholeNumber("seed", default: 0, atLeast: 0))
        try settings.finish(.keyError)
    }

    /// Writes the initial values of a parameter.
    ///
    /// - Parameters:
    ///   - values: The parameter's memory.
    ///   - name: The parameter's name, so that two parameters with one seed differ.
    ///   - shape: The shape, which determines the fans.
    ///   - first: The values before this index are left as they are: added rows get the values that they would have had
    ///     if the parameter had been created with them.
    public func fill(
        _ values: UnsafeMutableBufferPointer<Float>, name: Name, shape: Shape, from first: Int = 0
    ) {
        switch kind {
        case .zeros: values[first...].update(repeating: 0)
        case .ones: values[first...].update(repeating: 1)
        case .uniform, .heUniform, .xavierUniform: fillUniform(values, name, limit: scale(shape), from: first)
        case .normal, .heNormal, .xavierNormal: fillNormal(values, name, deviation: scale(shape), from: first)
        }
    }

    /// The limit of a uniform kind, or the standard deviation of a normal one.
    private func scale(_ shape: Shape) -> Double {
        let field = Double(shape.dimensions.dropFirst(2).reduce(1, *))
        let fanOut = Double(shape.dimensions.first ?? 1) * field
        let fanIn = shape.rank < 2 ? fanOut : Double(shape.dimensions[1]) * field
        switch kind {
        case .uniform: return 0.07
        case .normal: return 0.01
        case .heUniform: return (6 / max(fanIn, 1)).squareRoot()
        case .heNormal: return (2 / max(fanIn, 1)).squareRoot()
        case .xavierUniform: return (6 / max(fanIn + fanOut, 1)).squareRoot()
        case .xavierNormal: return (2 / max(fanIn + fanOut, 1)).squareRoot()
        case .zeros, .ones: return 0
        }
    }

    private func fillUniform(_ values: UnsafeMutableBufferPointer<Float>, _ name: Name, limit: Double, from first: Int)
    {
        let stream = CounterGenerator(seed: seed, name: name)
        for i in first..<values.count { values[i] = Float((2 * stream.unit(UInt64(i)) - 1) * limit) }
    }

    /// Box-Muller transform: turns two uniform numbers into two normal values.
    private func fillNormal(
        _ values: UnsafeMutableBufferPointer<Float>, _ name: Name, deviation: Double, from first: Int
    ) {
        let stream = CounterGenerator(seed: seed, name: name)
        for i in first..<values.count {
            let pair = UInt64(i) & ~1
            let radius = (-2 * log(1 - stream.unit(pair))).squareRoot()
            let angle = 2 * Double.pi * stream.unit(pair + 1)
            values[i] = Float(radius * (i & 1 == 0 ? cos(angle) : sin(angle)) * deviation)
        }
    }
}

/// A stateless generator: number i of a stream is a mix of the stream's key and i (SplitMix64).
struct CounterGenerator {
    private let key: UInt64

    /// The stream of a seed and a name; FNV-1a hashes the name.
    init(seed: UInt64, name: Name) {
        key = Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15) ^ Self.fnv1a(name)
    }

    /// The 64-bit FNV-1a hash of the name: `hash = (hash XOR byte) * 0x100000001b3`, from 0xcbf29ce484222325.
    ///
    /// Every model drawn so far depends on it, so it cannot be exchanged for another hash.
    /// - Source: G. Fowler, L. C. Noll, K.-P. Vo, D. Eastlake, "The FNV Non-Cryptographic Hash Algorithm".
    private static func fnv1a(_ name: Name) -> UInt64 {
        name.utf8.reduce(0xcbf2_9ce4_8422_2325) { hash, byte in (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }

    /// Number `i`, in [0, 1), with 53 bits.
    func unit(_ i: UInt64) -> Double {
        Double(Self.mix(key &+ (i &+ 1) &* 0x9E37_79B9_7F4A_7C15) >> 11) * 0x1p-53
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
