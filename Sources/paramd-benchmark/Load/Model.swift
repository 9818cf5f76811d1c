// The models of the rows, and their pushes.

/// A model whose values are one tensor, or many of the same size.
struct Model {
    let parameters: Int
    var tensors = 1
    let optimizer: String

    private var names: [String] { tensors == 1 ? ["w"] : (0..<tensors).map { "layers.\($0).weight" } }
    private var valuesOfTensor: Int { parameters / tensors }

    /// Its definition for paramd.
    var definition: String {
        let tensors = names.map { #""\#($0)":{"shape":[\#(valuesOfTensor)],"init":"zeros"}"# }
        return
            #"{"optimizer":"\#(optimizer)","learning_rate":0.001,"parameters":{\#(tensors.joined(separator: ","))}}"#
    }

    /// A push of all gradients, as a safetensors file.
    var push: [UInt8] {
        let size = valuesOfTensor * MemoryLayout<Float>.size
        let entries = names.enumerated().map { index, name in
            let range = "\(index * size),\((index + 1) * size)"
            return #""\#(name)":{"dtype":"F32","shape":[\#(valuesOfTensor)],"data_offsets":[\#(range)]}"#
        }
        var header = "{\(entries.joined(separator: ","))}"
        header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        bytes += header.utf8
        let pattern = (0..<256).map { Float($0 - 128) / 1000 }
        bytes.reserveCapacity(bytes.count + tensors * size)
        for index in 0..<parameters {
            withUnsafeBytes(of: pattern[index & 255]) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    static let kind = "application/vnd.safetensors"
}
