// The bytes of one safetensors entry: floats go to a destination, indices to a list, everything else is discarded.

import Names

/// Reads the data of one entry.
struct EntryReader {
    /// How the entry is used.
    enum Role {
        case dense, rows, indices, count
    }

    let entry: SafetensorsEntry
    let role: Role
    private(set) var indices: [Int] = []
    private(set) var issue: TensorIssue?
    private var stream: ElementStream?  // nil if the values are skipped
    private var output: TensorOutput
    private var cut: [UInt8] = []  // bytes of an index that the end of a chunk has split

    init(_ entry: SafetensorsEntry, role: Role, sink: any TensorSink) {
        self.entry = entry
        self.role = role
        output = TensorOutput(.nowhere)
        switch role {
        case .indices: prepareIndices(sink)
        case .count: break
        case .dense, .rows: prepareValues(sink)
        }
    }

    private mutating func prepareValues(_ sink: any TensorSink) {
        let use = role == .dense ? sink.integers(for: entry.name) : .refused
        guard let type = entry.type, type.isFloating || type.isInteger && use != .refused else {
            let detail =
                entry.type?.refusal(of: entry.name, sink)
                ?? ElementType.refusal(of: entry.typeName, entry.name, takesIntegers: use != .refused)
            return report(.elementType, detail, got: entry.typeName)
        }
        stream = ElementStream(type: type, wanted: use.type)
        output = TensorOutput(role == .rows ? .growing : destination(sink), of: entry.name)
    }

    private func destination(_ sink: any TensorSink) -> TensorDestination {
        entry.place.map(sink.destination(ofKnown:)) ?? sink.destination(for: entry.name, in: "")
    }

    /// The record of the tensor.
    var result: DecodedTensor {
        var tensor = DecodedTensor(name: entry.name)
        tensor.place = entry.place
        tensor.shape = entry.shape
        tensor.type = entry.type
        tensor.elementCount = entry.elementCount
        tensor.isFinite = stream?.isFinite ?? true
        tensor.isModest = stream?.isModest ?? false
        tensor.isRead = issue == nil
        tensor.content = role == .count ? .count(indices.first ?? 0) : .dense(buffer: output.buffer)
        return tensor
    }

    mutating func read(_ bytes: UnsafeRawBufferPointer, sink: any TensorSink) {
        if role == .indices || role == .count {
            readIndices(bytes)
        } else if stream != nil {
            stream?.decode(bytes, into: &output, sink: sink)
            if output.isOverBudget { report(.budget, "not enough memory for the values; send fewer at a time") }
            reportValues()
        }
    }

    private mutating func reportValues() {
        guard issue == nil, stream?.stray != nil else { return }
        if let stray = stream?.stray {
            let detail = stray.detail(in: entry.name, shape: entry.shape)
            report(stray.kind, detail, expected: stray.expected, got: stray.value)
        }
    }

    private mutating func prepareIndices(_ sink: any TensorSink) {
        guard entry.type == .int32 || entry.type == .int64, entry.shape.count == 1 else {
            report(.indices, "indices must be a list of I32 or I64", got: entry.typeName)
            return
        }
        let (bytes, overflow) = entry.elementCount.multipliedReportingOverflow(by: MemoryLayout<Int>.stride)
        guard !overflow, sink.allowGrowth(bytes: bytes) else {
            report(.budget, "not enough memory for the indices; push fewer rows")
            return
        }
        indices.reserveCapacity(entry.elementCount)
    }

    private mutating func readIndices(_ bytes: UnsafeRawBufferPointer) {
        guard issue == nil, let size = entry.type?.size else { return }
        for byte in bytes {
            cut.append(byte)
            guard cut.count == size else { continue }
            let bits = cut.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            indices.append(size == 4 ? Int(Int32(truncatingIfNeeded: bits)) : Int(Int64(truncatingIfNeeded: bits)))
            cut.removeAll(keepingCapacity: true)
        }
    }

    private mutating func report(
        _ kind: TensorIssue.Kind, _ detail: @autoclosure () -> String, expected: String? = nil, got: String? = nil
    ) {
        guard issue == nil else { return }
        issue = TensorIssue(kind, at: "/" + entry.name.pointerEscaped, detail(), expected: expected, got: got)
    }
}

extension ElementType {
    /// Why a tensor of this type is refused, and which types are accepted.
    func refusal(of name: Name, _ sink: any TensorSink) -> String {
        Self.refusal(of: rawValue, name, takesIntegers: sink.integers(for: name) != .refused)
            + (isInteger ? " (integers are only accepted in imports of parameters with \"trainable\":false)" : "")
    }

    /// As above, for a type name that may be unknown.
    static func refusal(of type: String, _ name: Name, takesIntegers: Bool) -> String {
        "`\(name)` has the dtype \(type.prefix(40)); send F32, F16, BF16 or F64"
            + (takesIntegers ? ", or I8, I16, I32, I64, U8, U16, U32, U64 or BOOL" : "")
    }
}
