// Until the initializers of Optimizers are there: zeros.

import Optimizers

struct Initializer {
    init(_ setting: Setting, pointer: String) throws(OptimizerError) {
        guard setting == .string("zeros") else {
            throw .invalid(
                Complaint(pointer: pointer, exception: .valueError, detail: "the only initializer is \"zeros\""))
        }
    }

    func fill(_ target: UnsafeMutableBufferPointer<Float>, shape: Shape) throws(OptimizerError) {
        target.update(repeating: 0)
    }
}
