// A tensor sent as {"0":1,"1":-2}, the form in which JavaScript writes its typed arrays.

import Names
import Optimizers
import TensorCoding

extension DecodedTensor {
    /// What to write instead, if the tensor is an object with numbered members.
    var typedArrayAdvice: String? {
        guard !fields.isEmpty, fields.enumerated().allSatisfy({ $1.key == Name("\($0)") }) else { return nil }
        let line = SettingValue.object([SettingValue.Entry(key: name, value: SettingValue(.array(fields.map(\.value))))]
        ).line
        let written = line.map { ", so `\($0)`" } ?? ""
        return
            "`\(name)` is an object with numbered members, which JSON.stringify makes of a Float32Array; send Array.from(\(name.isIdentifier ? name.text : "array"))\(written)"
    }
}

extension Name {
    fileprivate var isIdentifier: Bool {
        !isEmpty && utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x41...0x5a).contains($0) || $0 == 0x5f }
    }
}
