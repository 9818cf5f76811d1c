// The fingerprints of tensors that do not fit into a model. Their values arrive in pieces, one tensor after another, and are
// stored nowhere.

import Names
import ParameterServing

/// Fingerprints of the values of tensors, by name.
struct SpilledTensors {
    private var finished: [Name: Fingerprint] = [:]
    private var current: (name: Name, builder: Fingerprint.Builder)?

    /// Continues with a tensor.
    ///
    /// - Returns: whether its values begin here.
    mutating func begin(_ name: Name) -> Bool {
        if let current {
            if current.name == name { return false }
            finished[current.name] = current.builder.fingerprint
            current.builder.reset()
        }
        current = (name, current?.builder ?? Fingerprint.Builder())
        return true
    }

    /// Adds values to the tensor.
    func add(_ values: UnsafeRawBufferPointer) { current?.builder.add(values) }

    /// The fingerprint of a tensor's values; nil if all of them fit.
    subscript(name: Name) -> Fingerprint? {
        current?.name == name ? current?.builder.fingerprint : finished[name]
    }
}
