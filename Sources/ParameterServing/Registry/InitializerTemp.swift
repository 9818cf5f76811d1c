import Optimizers

struct Initializer {
    init(_ s: Setting, pointer: String) throws(OptimizerError) {}
    func fill(_ t: UnsafeMutableBufferPointer<Float>, shape: Shape) throws(OptimizerError) { t.update(repeating: 0) }
}
