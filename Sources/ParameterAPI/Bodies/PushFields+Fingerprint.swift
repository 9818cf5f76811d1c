// The part of a push's fingerprint that is not made of its tensors. A push that is sent again with another loss or basis
// is a mistake of its client: a receipt would say that the new numbers count.

import Names
import Optimizers
import ParameterServing
import TensorCoding

extension PushFields {
    /// Equal for pushes with the same fields, in any order and wherever they were sent.
    ///
    /// A number is the same as `1` and as `1.0`, and a field without content the same as none. The number of the push is
    /// not part of it.
    var fingerprint: Fingerprint {
        let told = values.filter { !Self.identity.contains($0.key) && !Self.isVoid($0.value) }
        return SettingValue.object(told.map { SettingValue.Entry(key: $0.key, value: SettingValue($0.value)) })
            .fingerprint
    }

    /// The epoch may be left out if it is 0; the gradients are judged by their values.
    private static let identity: [Name] = ["epoch", "seq", "gradients"]

    /// Whether a value says as much as a missing field: `{}`, or `complete` that is false.
    private static func isVoid(_ value: JSONValue) -> Bool { value.members?.isEmpty ?? (value.bool == false) }
}
