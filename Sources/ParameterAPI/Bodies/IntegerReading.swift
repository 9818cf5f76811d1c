// The `dtype` of a parameter in a definition: float types are read and forgotten, integer types are kept, so that pulls
// return them.

import Names
import Optimizers
import ParameterServing
import TensorCoding

/// Reads the integer type of a parameter.
struct IntegerReading {
    let tensor: DecodedTensor
    let isTrainable: Bool
    let value: InitialValue

    /// The integer type of the parameter; nil for floats.
    func wireType() throws(Problem) -> WireType? {
        guard let stated = tensor.type, stated.isInteger else { return nil }
        guard !isTrainable else {
            throw complaint(
                "`\(tensor.name)` is trained, and gradients turn integers into floats; add `\"trainable\":false`, or leave out `dtype`"
            )
        }
        guard let type = WireType(rawValue: stated.rawValue) else {
            let names = WireType.allCases.map(\.rawValue).joined(separator: ", ")
            throw complaint("a parameter cannot have the dtype \(stated.rawValue); use one of \(names)")
        }
        try checkInitializer()
        return type
    }

    /// The values were checked while they were read.
    private func checkInitializer() throws(Problem) {
        guard case .initializer(let setting) = value else { return }
        let name = setting.stringValue ?? setting["type"]?.stringValue
        guard name != "zeros", name != "ones" else { return }
        throw complaint("integers can only be initialized with `zeros` or `ones`; use one of them, or send values")
    }

    private func complaint(_ detail: String) -> Problem {
        Problem([Complaint(pointer: "\(tensor.pointer)/dtype", exception: .valueError, detail: detail)])
    }
}
