// The models of the rows, and their pushes.

/// A model with one parameter.
struct Model {
    let parameters: Int
    let optimizer: String

    /// Its definition for paramd.
    var definition: String {
        #"{"optimizer":"\#(optimizer)","learning_rate":0.001,"parameters":{"w":{"shape":[\#(parameters)],"init":"zeros"}}}"#
    }

    /// A push of all gradients, as a safetensors file.
    var push: [UInt8] {
        let size = parameters * MemoryLayout<Float>.size
        var header = #"{"w":{"dtype":"F32","shape":[\#(parameters)],"data_offsets":[0,\#(size)]}}"#
        header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        bytes += header.utf8
        let pattern = (0..<256).map { Float($0 - 128) / 1000 }
        bytes.reserveCapacity(bytes.count + size)
        for index in 0..<parameters {
            withUnsafeBytes(of: pattern[index & 255]) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    static let kind = "application/vnd.safetensors"
}
