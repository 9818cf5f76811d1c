// base64 (RFC 4648, section 4): the standard alphabet, required padding, no other characters.

/// Whole-buffer encoding.
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The number of characters that encode `byteCount` bytes.
    public static func encodedCount(of byteCount: Int) -> Int { (byteCount + 2) / 3 * 4 }

    /// Appends `bytes` in base64 to `output`.
    public static func encode(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        output.reserveCapacity(output.count + encodedCount(of: bytes.count))
        alphabet.withUnsafeBufferPointer { letters in
            var index = 0
            while index < bytes.count {
                appendQuad(of: bytes[index..<min(index + 3, bytes.count)], letters, to: &output)
                index += 3
            }
        }
    }

    private static func appendQuad(
        of bytes: Slice<UnsafeRawBufferPointer>, _ letters: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]
    ) {
        var word: UInt32 = 0
        for byte in bytes { word = word << 8 | UInt32(byte) }
        word <<= 8 * UInt32(3 - bytes.count)
        let padding = UInt8(ascii: "=")
        output.append(letters[Int(word >> 18)])
        output.append(letters[Int(word >> 12 & 63)])
        output.append(bytes.count > 1 ? letters[Int(word >> 6 & 63)] : padding)
        output.append(bytes.count > 2 ? letters[Int(word & 63)] : padding)
    }

    /// The bytes of `text`; nil if it is not strict base64.
    public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var decoder = Base64Decoder()
        let input = Array(text)
        let bytes = [UInt8](unsafeUninitializedCapacity: input.count / 4 * 3 + 3) { output, count in
            input.withUnsafeBufferPointer { input in
                guard let start = output.baseAddress else { return }
                count = decoder.decode(input, into: start)
            }
        }
        return decoder.isComplete ? bytes : nil
    }
}

/// A decoder that takes the text in pieces of any size.
struct Base64Decoder {
    private var word: UInt32 = 0
    private var sextets = 0
    private var padding = 0
    private(set) var isMalformed = false

    private static let invalid: UInt8 = 0xFF

    // Filled before its first use and not written afterwards.
    private nonisolated(unsafe) static let values: UnsafePointer<UInt8> = {
        let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
        table.initialize(repeating: invalid, count: 256)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, letter) in alphabet.utf8.enumerated() { table[Int(letter)] = UInt8(value) }
        return UnsafePointer(table)
    }()

    /// Whether the text may end here.
    var isComplete: Bool { !isMalformed && (sextets + padding) % 4 == 0 }

    /// Decodes a piece.
    ///
    /// - Parameter output: room for 3 bytes for every 4 characters, and 3 more.
    /// - Returns: the number of bytes written. Input after a malformed character is ignored.
    mutating func decode(_ text: UnsafeBufferPointer<UInt8>, into output: UnsafeMutablePointer<UInt8>) -> Int {
        guard !isMalformed else { return 0 }
        var written = 0
        let values = Self.values
        for letter in text {
            let value = values[Int(letter)]
            guard value != Self.invalid, padding == 0 else {
                written += takePadding(letter, into: output + written)
                if isMalformed { return written }
                continue
            }
            word = word << 6 | UInt32(value)
            sextets += 1
            guard sextets == 4 else { continue }
            written += flush(bytes: 3, into: output + written)
        }
        return written
    }

    // "xx==" encodes one byte, "xxx=" two; the remaining bits must be zero.
    private mutating func takePadding(_ letter: UInt8, into output: UnsafeMutablePointer<UInt8>) -> Int {
        guard letter == UInt8(ascii: "="), sextets >= 2, sextets + padding < 4 else {
            isMalformed = true
            return 0
        }
        padding += 1
        guard sextets + padding == 4 else { return 0 }
        let bytes = sextets - 1
        let leftOver: UInt32 = sextets == 2 ? 0xF : 0x3
        guard word & leftOver == 0 else {
            isMalformed = true
            return 0
        }
        word <<= 6 * UInt32(padding)
        let written = flush(bytes: bytes, into: output)
        sextets = 4 - padding
        return written
    }

    @inline(__always)
    private mutating func flush(bytes: Int, into output: UnsafeMutablePointer<UInt8>) -> Int {
        output[0] = UInt8(truncatingIfNeeded: word >> 16)
        if bytes > 1 { output[1] = UInt8(truncatingIfNeeded: word >> 8) }
        if bytes > 2 { output[2] = UInt8(truncatingIfNeeded: word) }
        word = 0
        sextets = 0
        return bytes
    }
}
