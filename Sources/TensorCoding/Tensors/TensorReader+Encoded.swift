// base64 in the tensor reader: decoded as it arrives if the element type is known, otherwise held until it is.

import Names

/// Values sent as base64.
struct EncodedValues {
    var type: ElementType?
    /// Whether a `b64` member has been read.
    var isPresent = false
    var decoder = Base64Decoder()
    /// The converter to float32, once the type is known.
    var stream: ElementStream?
    /// Bytes received before their type.
    var early: [UInt8] = []
    var earlyAllowance = 0
    var isOverBudget = false
}

extension TensorReader {
    /// The bytes of values before their type that are converted or checked together with it.
    private static let earlyInPlace = 1 << 20

    mutating func takeElementType(_ name: [UInt8], _ issues: inout IssueList) {
        let name = String(decoding: name, as: UTF8.self)
        let takesIntegers = use != .refused
        guard let type = ElementType(name: name), type.isFloating || type.isInteger && takesIntegers else {
            let known = ElementType(name: name)?.refusal(of: tensor.name, sink)
            report(
                .elementType, at: "dtype",
                known ?? ElementType.refusal(of: name, tensor.name, takesIntegers: takesIntegers),
                expected: "F32, F16, BF16 or F64", got: name, &issues)
            return
        }
        encoded.type = type
        tensor.type = type
        hasEarlyValues = true
        let numbers = type.isInteger && seen.contains(.data) ? output.count : 0
        let bytes = encoded.early.count + numbers * MemoryLayout<Float>.stride
        if bytes <= Self.earlyInPlace { takeEarlyValues(&issues) }
    }

    /// Converts base64, and checks numbers, that came before their type.
    mutating func takeEarlyValues(_ issues: inout IssueList) {
        guard hasEarlyValues, let type = encoded.type else { return }
        hasEarlyValues = false
        if type.isInteger, seen.contains(.data) { checkEarlier(&issues) }
        guard encoded.isPresent else { return }
        var stream = stream(of: type)
        encoded.early.withUnsafeBytes { stream.decode($0, into: &output, sink: sink) }
        (encoded.stream, encoded.early) = (stream, [])
    }

    /// Checks numbers that came before their type and were therefore read as floats, which may have rounded them.
    private mutating func checkEarlier(_ issues: inout IssueList) {
        let values = output.written
        let isExact = use.type != nil || !hasFraction && values.allSatisfy { abs($0) < 16_777_216 }
        guard isExact, values.count == output.count else {
            let detail = "write `dtype` before `data` in `\(tensor.name)`, so that every integer is read exactly"
            return report(.form, at: "dtype", detail, &issues)
        }
        guard let stray = rule.stray(among: values) else { return }
        let detail = stray.detail(in: tensor.name, shape: inferred)
        report(stray.kind, at: "data", detail, expected: stray.expected, got: stray.value, &issues)
    }

    mutating func takeBase64(_ text: [UInt8]) {
        if !encoded.isPresent {
            encoded.isPresent = true
            encoded.stream = encoded.type.map(stream(of:))
            prepareOutput(for: .b64)
        }
        text.withUnsafeBufferPointer { text in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: text.count / 4 * 3 + 6) { bytes in
                guard let start = bytes.baseAddress else { return }
                let count = encoded.decoder.decode(text, into: start)
                takeElements(UnsafeRawBufferPointer(start: start, count: count))
            }
        }
    }

    private mutating func takeElements(_ bytes: UnsafeRawBufferPointer) {
        guard encoded.stream == nil else {
            encoded.stream?.decode(bytes, into: &output, sink: sink)
            return
        }
        let needed = encoded.early.count + bytes.count
        if needed > encoded.earlyAllowance {
            let more = max(needed, 4096)
            encoded.isOverBudget = encoded.isOverBudget || !sink.allowGrowth(bytes: more)
            encoded.earlyAllowance += more
        }
        guard !encoded.isOverBudget else { return }
        encoded.early.append(contentsOf: bytes)
    }

    /// Ends the base64 of a tensor and reports mistakes.
    mutating func finishBase64(_ issues: inout IssueList) {
        guard let stream = encoded.stream else {
            if !seen.contains(.dtype) {
                report(.elementType, "`b64` needs a `dtype`: F32, F16, BF16 or F64", &issues)
            }
            return
        }
        tensor.isFinite = stream.isFinite
        tensor.isModest = stream.isModest
        if encoded.isOverBudget {
            report(
                .budget, at: "b64",
                "not enough memory for the tensor; write `dtype` before `b64`, or send fewer values", &issues)
        } else if !encoded.decoder.isComplete {
            report(
                .base64, at: "b64", "`b64` must be padded base64 with the standard alphabet, without white space",
                &issues)
        } else if !stream.isWhole {
            report(
                .base64, at: "b64",
                "`b64` ends within an element; each \(stream.type.rawValue) has \(stream.type.size.counted("byte", "bytes"))",
                &issues)
        } else if let stray = stream.stray {
            let detail = stray.detail(in: tensor.name, shape: stated)
            report(stray.kind, at: "b64", detail, expected: stray.expected, got: stray.value, &issues)
        }
    }

    private func stream(of type: ElementType) -> ElementStream { ElementStream(type: type, wanted: use.type) }
}
