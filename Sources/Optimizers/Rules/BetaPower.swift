// MindSpore's running powers of beta: float32, multiplied once per step. Their rounding matters where 1 - beta^t is
// small, so paramd computes them in the same way.

import Glibc

/// beta^t as MindSpore computes it at update t; a pure function of t with a cache.
final class BetaPower {
    private let beta: Float
    private var t = 0
    private var value: Float = 1
    /// The number of products computed one by one; larger t, which only `"step": n` reaches at once, use one power.
    private static let limit = 1 << 24

    init(_ beta: Float) { self.beta = beta }

    /// The power at update `t`: 1 at 0, beta at 1, then the rounded product of the previous one and beta.
    func at(_ t: Int) -> Double {
        if t < self.t { (self.t, value) = (0, 1) }
        let end = min(t, max(self.t, Self.limit))
        while self.t < end {
            let product = value * beta
            if product == value { break }
            (self.t, value) = (self.t + 1, product)
        }
        if value * beta == value || self.t == t { return Double(value) }
        return Double(Float(Double(value) * pow(Double(beta), Double(t - self.t))))
    }
}
