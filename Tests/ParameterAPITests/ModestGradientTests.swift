// What the decoder finds out about gradients on their way is what the rules need to know.

import Testing

@testable import Optimizers
@testable import TensorCoding

@Suite("Modest gradients")
struct ModestGradientTests {
    @Test("the decoder's bound is that of the rules")
    func bound() {
        #expect(Modesty.values == -DecodedTensor.modestBound..<DecodedTensor.modestBound)
    }
}
