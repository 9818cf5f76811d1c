// Keys and texts that are plain ASCII in one chunk, read in place. Everything else is left to `next`, which reads the
// same bytes again: escapes, UTF-8, long texts, the ends of chunks, and all mistakes.

extension JSONLexer {
    /// Moves over the key of a member and its colon; nil for anything but a plain key.
    ///
    /// The bytes are those of the chunk.
    mutating func takePlainKey() -> UnsafeBufferPointer<UInt8>? {
        guard partial == .none, containers.last == true, skipWhiteSpace() else { return nil }
        var start = position
        if expectation == .commaOrEnd, start.pointee == UInt8(ascii: ",") {
            start += 1
            if start < end, start.pointee == UInt8(ascii: " ") { start += 1 }
        } else if expectation != .keyOrEnd {
            return nil
        }
        guard let text = plainText(at: start), let base = text.baseAddress else { return nil }
        let colon = base + text.count + 1
        guard colon < end, colon.pointee == UInt8(ascii: ":") else { return nil }
        position = colon + 1
        expectation = .value
        return text
    }

    /// Moves over a string that is a value; nil for anything but a plain one.
    ///
    /// The bytes are those of the chunk.
    mutating func takePlainText() -> UnsafeBufferPointer<UInt8>? {
        guard partial == .none, expectation == .value, skipWhiteSpace(), let text = plainText(at: position),
            let base = text.baseAddress
        else { return nil }
        position = base + text.count + 1
        endValue()
        return text
    }

    /// The text in the quotes that open at `start`, shorter than the limit.
    private func plainText(at start: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
        guard start < end, start.pointee == UInt8(ascii: "\"") else { return nil }
        let first = start + 1
        let stop = min(end, first + Self.textLimit)
        var next = first
        while next < stop, next.pointee.isPlain { next += 1 }
        guard next < stop, next.pointee == UInt8(ascii: "\"") else { return nil }
        return UnsafeBufferPointer(start: first, count: next - first)
    }
}

extension UInt8 {
    /// Whether it stands for itself in a JSON string: printable ASCII other than a quote or a backslash.
    var isPlain: Bool { self >= 0x20 && self < 0x80 && self != 0x22 && self != 0x5C }
}
