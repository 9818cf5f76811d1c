// Patterns with * and ?, as in groups and pulls. Both match any character, including `.` and `/`. Clients choose
// patterns and names, so matching must not take more time than their lengths justify.

import Names

/// A pattern of names: `*` matches any sequence of characters, `?` any single one; a character is a code point.
///
/// Follows all possible matches at once: bit i of a state says that the bytes so far match the first i tokens of the
/// pattern. A token is one byte, or a `?`; a `*` is a token that keeps its bit.
public struct Glob: Sendable {
    /// The longest pattern, in bytes; names are much shorter.
    public static let longest = 1024

    private let tokens: Int
    /// The number of 64-bit words in a state.
    private let words: Int
    /// By byte, word by word: the tokens that match it.
    private var takers: [UInt64]
    /// The tokens that follow a `*`.
    private var loops: [UInt64]
    /// The tokens after a `?`, which matches all bytes of its character.
    private var tails: [UInt64]

    /// Makes a pattern.
    public init(_ pattern: Name) {
        let star = UInt8(ascii: "*")
        tokens = pattern.utf8.count { $0 != star }
        words = tokens / 64 + 1
        takers = Array(repeating: 0, count: 256 * words)
        loops = Array(repeating: 0, count: words)
        tails = loops
        var token = 0
        for byte in pattern.utf8 {
            if byte == star {
                loops[token / 64] |= 1 << (token % 64)
            } else {
                add(byte, as: token)
                token += 1
            }
        }
    }

    private mutating func add(_ byte: UInt8, as token: Int) {
        let (word, bit) = (token / 64, UInt64(1) << (token % 64))
        guard byte == UInt8(ascii: "?") else {
            takers[Int(byte) * words + word] |= bit
            return
        }
        for first in 0...255 where !UTF8.isContinuation(UInt8(first)) { takers[first * words + word] |= bit }
        tails[(token + 1) / 64] |= 1 << ((token + 1) % 64)
    }

    /// Whether a name contains a wildcard.
    public static func isPattern(_ name: Name) -> Bool {
        name.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
    }

    /// Whether the pattern matches the whole name.
    ///
    /// Takes one step per byte of the name and per 64 bytes of the pattern, independent of their content.
    public func matches(_ name: Name) -> Bool {
        // Each token matches at least one byte.
        guard name.utf8.count >= tokens else { return false }
        var state = [UInt64](repeating: 0, count: words)
        state[0] = 1
        return state.withUnsafeMutableBufferPointer { state in
            for byte in name.utf8 {
                guard advance(state, over: byte) else { return false }
                if endsOpen, isMatched(state) { return true }
            }
            return isMatched(state)
        }
    }

    /// Whether the pattern ends with `*`, so that any continuation of a match matches too.
    private var endsOpen: Bool { loops[tokens / 64] >> (tokens % 64) & 1 == 1 }

    private func isMatched(_ state: UnsafeMutableBufferPointer<UInt64>) -> Bool {
        state[tokens / 64] >> (tokens % 64) & 1 == 1
    }

    /// Consumes one byte; false if no match is possible any more.
    private func advance(_ state: UnsafeMutableBufferPointer<UInt64>, over byte: UInt8) -> Bool {
        takers.withUnsafeBufferPointer { takers in
            let row = Int(byte) * words
            let isTail = UTF8.isContinuation(byte)
            var (word, left) = (words - 1, UInt64(0))
            // From the last word down: each needs the previous value of the word below.
            while word >= 0 {
                let before = state[word]
                var next = (before & takers[row + word]) &<< 1 | before & loops[word]
                if word > 0 { next |= (state[word - 1] & takers[row + word - 1]) &>> 63 }
                if isTail { next |= before & tails[word] }
                state[word] = next
                left |= next
                word -= 1
            }
            return left != 0
        }
    }
}
