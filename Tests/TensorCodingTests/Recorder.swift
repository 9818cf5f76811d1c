// How the tests read bodies: a sink that knows some tensors, and bodies in chunks of a given size.

import Names
import TensorCoding

/// A sink with room for named tensors; all others grow or are dropped.
final class Recorder: TensorSink {
    var memory: [Name: UnsafeMutableBufferPointer<Float>] = [:]
    var budget = Int.max
    var growsOthers = true
    private(set) var asked: [Name] = []
    private(set) var spilled: [Name: [Float]] = [:]

    init(_ capacities: [Name: Int] = [:]) {
        for (name, capacity) in capacities {
            let block = UnsafeMutableBufferPointer<Float>.allocate(capacity: capacity)
            block.initialize(repeating: .nan)
            memory[name] = block
        }
    }

    deinit {
        for block in memory.values { block.deallocate() }
    }

    func destination(for name: Name, in section: Name) -> TensorDestination {
        asked.append(name)
        if let block = memory[name] { return .memory(block) }
        return growsOthers ? .growing : .nowhere
    }

    func spill(_ values: UnsafeBufferPointer<Float>, of name: Name) { spilled[name, default: []] += values }

    func allowGrowth(bytes: Int) -> Bool {
        guard bytes <= budget else { return false }
        budget -= bytes
        return true
    }

    func values(_ name: Name) -> [Float] { memory[name].map(Array.init) ?? [] }
}

/// Reads `text` in chunks of `size` bytes.
func readBody(
    _ text: some Collection<UInt8>, chunk size: Int = .max, keys: Set<Name> = ["gradients", "parameters"],
    sink: any TensorSink = Recorder(), limits: JSONLimits = JSONLimits()
) throws(JSONError) -> JSONBody {
    var reader = JSONBodyReader(tensorKeys: keys, sink: sink, limits: limits)
    let bytes = Array(text)
    var start = 0
    while start < bytes.count {
        let end = size > bytes.count - start ? bytes.count : start + size
        // Each chunk has its own block, so that the sanitizer detects a read beyond its end.
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: end - start, alignment: 1)
        defer { chunk.deallocate() }
        chunk.copyBytes(from: bytes[start..<end])
        try reader.read(UnsafeRawBufferPointer(chunk))
        start = end
    }
    return try reader.finish()
}

func readBody(
    _ text: String, chunk size: Int = .max, keys: Set<Name> = ["gradients", "parameters"],
    sink: any TensorSink = Recorder(), limits: JSONLimits = JSONLimits()
) throws(JSONError) -> JSONBody {
    try readBody(text.utf8, chunk: size, keys: keys, sink: sink, limits: limits)
}

extension DecodedTensor {
    /// The values, if they are in a growing buffer or in rows.
    var grown: [Float] {
        switch content {
        case .dense(let buffer?): Array(buffer.values)
        case .rows(_, let values): Array(values.values)
        default: []
        }
    }
}
