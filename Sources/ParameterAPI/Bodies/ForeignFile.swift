// Files of other formats, recognized by their first bytes: a JSON or safetensors error for an .npz does not help its
// sender. The receivers of bodies ask `BodyHead` when reading has failed.

import HTTPServing
import TensorCoding

/// The first bytes of a body, kept in case it cannot be read.
struct BodyHead {
    private var bytes: [UInt8] = []

    /// Takes the next bytes of the body; only the first eight are kept.
    mutating func note(_ more: UnsafeRawBufferPointer) {
        if bytes.count < 8 { bytes.append(contentsOf: more.prefix(8 - bytes.count)) }
    }

    /// The problem for a body that could not be read; a better one if its first bytes are known.
    func explain(_ problem: Problem, of request: Request) -> Problem {
        guard !mayBeSafetensors, let file = ForeignFile.allCases.first(where: { bytes.starts(with: $0.signature) })
        else { return problem }
        return file.problem(of: request)
    }

    /// Whether the first eight bytes may be the length of a safetensors header: one of 128 bytes starts like a pickle.
    private var mayBeSafetensors: Bool {
        let length = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return bytes.count == 8 && length <= UInt64(SafetensorsLimits().headerBytes)
    }
}

/// A common format of arrays.
private enum ForeignFile: CaseIterable {
    case zip, npy, pickle, hdf5, gguf

    var signature: [UInt8] {
        switch self {
        case .zip: Array("PK\u{3}\u{4}".utf8)
        case .npy: [0x93] + Array("NUMPY".utf8)
        case .pickle: [0x80]
        case .hdf5: [0x89] + Array("HDF".utf8)
        case .gguf: Array("GGUF".utf8)
        }
    }

    private var name: String {
        switch self {
        case .zip: "a zip archive, as written by numpy.savez and torch.save"
        case .npy: "a single array in the format of NumPy"
        case .pickle: "a Python pickle"
        case .hdf5: "an HDF5 file"
        case .gguf: "a GGUF file"
        }
    }

    /// Python code that writes the same arrays as safetensors; nil if one line is not enough.
    private var conversion: String? {
        switch self {
        case .zip: #"save_file(dict(np.load("FILE.npz")), "FILE.safetensors")"#
        case .npy: #"save_file({"w": np.load("FILE.npy")}, "FILE.safetensors")"#
        case .pickle: #"save_file(np.load("FILE.pkl", allow_pickle=True), "FILE.safetensors")"#
        case .hdf5, .gguf: nil
        }
    }

    /// What to send instead.
    ///
    /// A model is created with JSON, so a file of weights goes to its parameters.
    func problem(of request: Request) -> Problem {
        let isCreation = request.method == .put && request.path.count == 3
        let target = request.target.prefix { $0 != "?" } + (isCreation ? "/parameters" : "")
        let imports = "import numpy as np; from safetensors.numpy import save_file"
        let how = conversion.map { ", in Python: \(imports); \($0)" } ?? ""
        let first = isCreation ? " The model itself is created by JSON that gives the shapes." : ""
        let way = isCreation ? "-X PUT " : request.method == .post ? "" : "-X \(request.method.rawValue) "
        let options = "-H 'Content-Type: application/vnd.safetensors' --data-binary @FILE.safetensors"
        return Problem(
            .malformedTensors, "The body is \(name).", hint: "Send safetensors\(how).\(first)",
            command: "curl \(way)\(options) '\(request.address(target))'")
    }
}
