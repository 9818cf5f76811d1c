// The formats of one tensor's answer.

import HTTPServing
import TensorCoding

/// The format of a tensor's answer.
enum TensorForm: String, AnswerForm {
    case json
    case safetensors
    case npy

    var format: WireFormat {
        switch self {
        case .json: .json
        case .safetensors: .safetensors
        case .npy: .npy
        }
    }

    /// An .npy file has no media type to select it.
    static let offered: [TensorForm] = [.json, .safetensors]

    /// The encoding of numbers in the query, if this format supports it.
    func encoding(_ call: Call) throws(Problem) -> TensorEncoding {
        let encoding = try TensorEncoding(call)
        guard self != .json else { return encoding }
        try call.forbidQueries(.encoding, because: "only applies to JSON; leave it out, or ask for JSON.")
        if self == .npy, encoding.elementType.row.numpy == nil {
            let known = ElementType.allCases.filter { ElementType.pulled.contains($0) && $0.row.numpy != nil }
            try call.forbidQueries(
                .dtype,
                because:
                    "NumPy files cannot hold \(encoding.elementType.rawValue); use \(ElementType.list(known)), or Accept: application/vnd.safetensors."
            )
        }
        return encoding
    }
}
