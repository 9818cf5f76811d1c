// The common arguments of MindSpore's Adam family: two decays, epsilon, and the corrections by the step.

import CKernels

/// The decays and the epsilon of MindSpore's Adam family, rounded to float32 as MindSpore rounds them.
struct AdamArguments {
    let beta1, beta2, epsilon: Float
    private let power1, power2: BetaPower

    /// Reads `beta1` and `beta2`, strictly between 0 and 1, and `eps`, above 0.
    init(_ settings: SettingReader, epsilon fallback: Double = 1e-8) throws(OptimizerError) {
        beta1 = Float(try settings.number("beta1", default: 0.9, .insideUnit))
        beta2 = Float(try settings.number("beta2", default: 0.999, .insideUnit))
        epsilon = Float(try settings.number("eps", default: fallback, .positive))
        (power1, power2) = (BetaPower(beta1), BetaPower(beta2))
    }

    /// The constants that do not depend on the step; rate, root and shrink are neutral.
    var constants: pk_constants {
        var numbers = pk_constants()
        numbers.beta1 = beta1
        numbers.beta2 = beta2
        numbers.one_minus_beta1 = 1 - beta1
        numbers.one_minus_beta2 = 1 - beta2
        numbers.epsilon = epsilon
        numbers.root = 1
        numbers.shrink = 1
        return numbers
    }

    /// Whether Adam's step is bounded if all numbers are modest.
    var areModest: Bool { Modesty.holds(epsilon: Double(epsilon), decay: Double(beta1)) }

    /// beta1^t as a function of the step, so a restored model needs no accumulated power.
    func beta1Power(_ t: Int) -> Double { power1.at(t) }

    /// beta2^t.
    func beta2Power(_ t: Int) -> Double { power2.at(t) }

    /// lr sqrt(1 - beta2^t) / (1 - beta1^t).
    func correctedRate(_ rate: Double, _ t: Int) -> Float {
        Float(rate * (1 - beta2Power(t)).squareRoot() / (1 - beta1Power(t)))
    }
}
