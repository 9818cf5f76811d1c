// The fingerprint of a push: of all tensors of its body, whether or not they fit into the model now. A model that has
// changed since the first arrival of a push must still recognize the retry.

import Names
import Optimizers
import ParameterServing
import TensorCoding

extension GradientSink {
    /// The fingerprint of the tensors of a body, at its end.
    func fingerprint(of tensors: [DecodedTensor]) -> Fingerprint {
        var all = TensorsFingerprint()
        for tensor in tensors {
            switch tensor.content {
            case .rows(let indices, let values) where tensor.isRead:
                all.add(tensor.name, rows: indices, values: Fingerprint(of: UnsafeRawBufferPointer(values.values)))
            case .dense where tensor.isRead:
                all.add(tensor.name, shape: tensor.shape ?? [tensor.elementCount], values: values(of: tensor))
            case .dense, .rows, .count, .none: all.addUnread(tensor.name)
            }
        }
        return all.fingerprint
    }

    private func values(of tensor: DecodedTensor) -> Fingerprint {
        if let spilled = spilled[tensor.name] { return spilled }
        // Of a tensor without values, nothing has been written.
        let bytes = written(of: tensor.name).map {
            UnsafeRawBufferPointer(UnsafeMutableBufferPointer(rebasing: $0.prefix(tensor.elementCount)))
        }
        return Fingerprint(of: bytes ?? UnsafeRawBufferPointer(start: nil, count: 0))
    }
}
